import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { before } from 'node:test'
import { checkFramework, checkShutdown, EXAMPLES, frameworks } from '../support/framework-checks.ts'

const folder = join(EXAMPLES, 'next')
const next = join(EXAMPLES, 'node_modules/next/dist/bin/next')

before(() => {
  if (frameworks('next').skip) return
  Object.assign(process.env, { NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' })
  execFileSync(process.execPath, [next, 'build', folder], {
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: 120_000,
  })
})

// A new hub for each test.
checkFramework({
  name: 'Next.js',
  folder: 'next',
  reset: () => Reflect.deleteProperty(globalThis, 'sluiceShop'),
})
checkShutdown({
  name: 'Next.js by `next start`',
  folder: 'next',
  args: [next, 'start', folder, '--hostname', '127.0.0.1', '--port', '0'],
  path: '/orders/1/events',
  code: 128 + 15,
})

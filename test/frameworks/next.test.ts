import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Example } from '../../docs/examples/orders/orders.ts'
import { checkFramework, checkShutdown } from '../support/framework-checks.ts'

const folder = resolve(import.meta.dirname, '../../docs/examples/next')
const program = resolve(folder, 'server.ts')
const next = createRequire(import.meta.url).resolve('next/dist/bin/next')

Object.assign(process.env, { NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' })
execFileSync(process.execPath, [next, 'build', folder], {
  stdio: ['ignore', 'ignore', 'inherit'],
  timeout: 120_000,
})

/** A new hub for each test. The module is under Next's own compiler options (and types), so not known to ours. */
async function start(port: number): Promise<Example> {
  Reflect.deleteProperty(globalThis, 'sluiceShop')
  const { start } = (await import(pathToFileURL(program).href)) as {
    start: (port: number) => Promise<Example>
  }
  return start(port)
}

checkFramework({ name: 'Next.js', start, program })
checkShutdown({
  name: 'Next.js by `next start`',
  args: [next, 'start', folder, '--hostname', '127.0.0.1', '--port', '0'],
  path: '/orders/1/events',
  code: 128 + 15,
})

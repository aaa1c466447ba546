import { resolve } from 'node:path'
import { start } from '../../docs/examples/hono/server.ts'
import { checkFramework } from '../support/framework-checks.ts'

const program = resolve(import.meta.dirname, '../../docs/examples/hono/server.ts')
checkFramework({ name: 'Hono over node:http', start, program })
checkFramework({
  name: 'Hono with a Response',
  start,
  program,
  path: (order) => `/orders/${order}/fetch-events`,
})

import { resolve } from 'node:path'
import { start } from '../../docs/examples/koa/server.ts'
import { checkFramework } from '../support/framework-checks.ts'

const program = resolve(import.meta.dirname, '../../docs/examples/koa/server.ts')
checkFramework({ name: 'Koa', start, program })

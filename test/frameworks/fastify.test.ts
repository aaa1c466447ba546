import { resolve } from 'node:path'
import { start } from '../../docs/examples/fastify/server.ts'
import { checkFramework } from '../support/framework-checks.ts'

const program = resolve(import.meta.dirname, '../../docs/examples/fastify/server.ts')
checkFramework({ name: 'Fastify', start, program, closes: true })

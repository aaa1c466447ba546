import { resolve } from 'node:path'
import { start } from '../../docs/examples/nest/server.ts'
import { checkFramework } from '../support/framework-checks.ts'

const program = resolve(import.meta.dirname, '../../docs/examples/nest/server.ts')
checkFramework({ name: 'NestJS', start, program, closes: true })

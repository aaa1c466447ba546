import { resolve } from 'node:path'
import { start } from '../../docs/examples/express/server.ts'
import { checkFramework } from '../support/framework-checks.ts'

const program = resolve(import.meta.dirname, '../../docs/examples/express/server.ts')
checkFramework({ name: 'Express', start, program })

import { checkFramework } from '../support/framework-checks.ts'

checkFramework({ name: 'Fastify', folder: 'fastify', closes: true })

import { checkFramework } from '../support/framework-checks.ts'

checkFramework({ name: 'NestJS', folder: 'nest', closes: true })

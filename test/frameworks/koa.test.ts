import { checkFramework } from '../support/framework-checks.ts'

checkFramework({ name: 'Koa', folder: 'koa' })

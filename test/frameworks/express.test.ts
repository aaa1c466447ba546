import { checkFramework } from '../support/framework-checks.ts'

checkFramework({ name: 'Express', folder: 'express' })

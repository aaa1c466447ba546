import { checkFramework } from '../support/framework-checks.ts'

checkFramework({ name: 'Hono over node:http', folder: 'hono' })
checkFramework({
  name: 'Hono with a Response',
  folder: 'hono',
  path: (order) => `/orders/${order}/fetch-events`,
})

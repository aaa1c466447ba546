// Next.js with a server of our own: next build docs/examples/next, then NODE_ENV=production node server.ts, then
//   curl -N -H 'Authorization: Bearer token-of-ada' http://127.0.0.1:8080/orders/1/events
//   curl -X PUT -H 'Authorization: Bearer token-of-ada' http://127.0.0.1:8080/orders/1/shipped
// `next start docs/examples/next` and `next dev docs/examples/next` serve the same, and need no such file.

import { once } from 'node:events'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import next from 'next'
import type { Example } from '../orders/orders.ts'
import { closeOnSignals } from '../rolling-restart/close-on-signals.ts'
import { shop } from './shop.ts'

export async function start(port: number): Promise<Pick<Example, 'server'> & ReturnType<typeof shop>> {
  const app = next({ dev: process.env.NODE_ENV !== 'production', dir: import.meta.dirname })
  await app.prepare()
  const server = createServer(app.getRequestHandler())
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  // The same hub as the routes', which are in bundles of their own: it is on globalThis.
  return { ...shop(), server }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { hub, server } = await start(Number(process.env.PORT ?? 8080))
  // instrumentation.ts ends the streams, too; to close a hub twice does no harm. Only this closes the server.
  closeOnSignals(server, hub, { within: 5_000, reconnectOver: 10_000 })
  console.log('ready', server.address())
}

// Hono on Node: node server.ts, then
//   curl -N -H 'Authorization: Bearer token-of-ada' http://127.0.0.1:8080/orders/1/events
//   curl -X PUT -H 'Authorization: Bearer token-of-ada' http://127.0.0.1:8080/orders/1/shipped

import { once } from 'node:events'
import type { Server } from 'node:http'
import { fileURLToPath } from 'node:url'
import { type HttpBindings, serve } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { Hono } from 'hono'
import { compress } from 'hono/compress'
import { cors } from 'hono/cors'
import { createHub } from 'sluice'
import { EXPOSED, type Example, Orders, ownerOf, SITE } from '../orders/orders.ts'
import { closeOnSignals } from '../rolling-restart/close-on-signals.ts'

export async function start(port: number): Promise<Example> {
  const hub = createHub({ proxyIdleTimeout: 60_000 })
  const orders = new Orders()
  const app = new Hono<{ Bindings: HttpBindings; Variables: { owner: string } }>()

  // Before the token check, so that a page sees a 401 as one, and a preflight, which has no token, is answered.
  app.use(cors({ origin: SITE, exposeHeaders: EXPOSED }))
  app.use(compress())
  app.use(async (c, next) => {
    const owner = ownerOf(c.req.header('Authorization'))
    if (owner === undefined) return c.json({ error: 'a token, please' }, 401)
    c.set('owner', owner)
    await next()
  })

  app.get('/orders', (c) => c.json(orders.of(c.get('owner'))))

  // Over node:http: the cheapest way, with all that the hub knows of sockets (keep-alive probes, one write under way).
  app.get('/orders/:order/events', (c) => {
    const order = orders.find(c.req.param('order'), c.get('owner'))
    if (!order) return c.notFound()
    hub.connect(c.env.incoming, c.env.outgoing, {
      // One channel per order. What the client missed while it was away comes by itself, by its Last-Event-ID.
      channels: [`order:${order.order}`],
      // What the middleware has set so far (CORS) is on Hono's response, which is never sent.
      headers: Object.fromEntries(c.res.headers),
      label: order.owner,
    })
    return RESPONSE_ALREADY_SENT
  })

  // As Response: the same code in Bun, Deno and Workers, and every middleware sees it.
  app.get('/orders/:order/fetch-events', (c) => {
    const order = orders.find(c.req.param('order'), c.get('owner'))
    if (!order) return c.notFound()
    return hub.respond(c.req.raw, { channels: [`order:${order.order}`], label: order.owner })
  })

  app.put('/orders/:order/:status', async (c) => {
    const order = orders.find(c.req.param('order'), c.get('owner'))
    if (!order) return c.notFound()
    order.status = c.req.param('status')
    return c.json({ id: await hub.publish(`order:${order.order}`, { event: 'status', data: order }) })
  })

  // Without a `createServer` of yours it is a node:http server; the type allows for HTTP/2 as well.
  const server = serve({ fetch: app.fetch, port, hostname: '127.0.0.1' }) as Server
  await once(server, 'listening')
  return { hub, server }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { hub, server } = await start(Number(process.env.PORT ?? 8080))
  closeOnSignals(server, hub, { within: 5_000, reconnectOver: 10_000 })
  console.log('ready', server.address())
}

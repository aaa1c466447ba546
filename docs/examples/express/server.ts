// Express: node server.ts, then
//   curl -N -H 'Authorization: Bearer token-of-ada' http://127.0.0.1:8080/orders/1/events
//   curl -X PUT -H 'Authorization: Bearer token-of-ada' http://127.0.0.1:8080/orders/1/shipped

import { once } from 'node:events'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import compression from 'compression'
import cors from 'cors'
import express from 'express'
import { createHub } from 'sluice'
import { EXPOSED, type Example, Orders, ownerOf, SITE } from '../orders/orders.ts'
import { closeOnSignals } from '../rolling-restart/close-on-signals.ts'

export async function start(port: number): Promise<Example> {
  const hub = createHub({ proxyIdleTimeout: 60_000 })
  const orders = new Orders()
  const app = express()

  // Before the token check, so that a page sees a 401 as one, and a preflight, which has no token, is answered.
  app.use(cors({ origin: SITE, exposedHeaders: EXPOSED }))
  app.use(compression())
  app.use((req, res, next) => {
    const owner = ownerOf(req.get('Authorization'))
    if (owner === undefined) {
      res.status(401).json({ error: 'a token, please' })
      return
    }
    res.locals.owner = owner
    next()
  })

  app.get('/orders', (_req, res) => {
    res.json(orders.of(res.locals.owner))
  })

  app.get('/orders/:order/events', (req, res) => {
    const order = orders.find(req.params.order, res.locals.owner)
    if (!order) {
      res.sendStatus(404)
      return
    }
    // One channel per order. What the client missed while it was away comes by itself, by its Last-Event-ID.
    hub.connect(req, res, { channels: [`order:${order.order}`], label: order.owner })
  })

  app.put('/orders/:order/:status', async (req, res) => {
    const order = orders.find(req.params.order, res.locals.owner)
    if (!order) {
      res.sendStatus(404)
      return
    }
    order.status = req.params.status
    res.json({ id: await hub.publish(`order:${order.order}`, { event: 'status', data: order }) })
  })

  const server = createServer(app)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return { hub, server }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { hub, server } = await start(Number(process.env.PORT ?? 8080))
  closeOnSignals(server, hub, { within: 5_000, reconnectOver: 10_000 })
  console.log('ready', server.address())
}

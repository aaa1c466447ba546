// Koa: node server.ts, then
//   curl -N -H 'Authorization: Bearer token-of-ada' http://127.0.0.1:8080/orders/1/events
//   curl -X PUT -H 'Authorization: Bearer token-of-ada' http://127.0.0.1:8080/orders/1/shipped

import { once } from 'node:events'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import cors from '@koa/cors'
import { Router } from '@koa/router'
import Koa from 'koa'
import compress from 'koa-compress'
import { createHub } from 'sluice'
import { EXPOSED, type Example, type Order, Orders, ownerOf, SITE } from '../orders/orders.ts'
import { closeOnSignals } from '../rolling-restart/close-on-signals.ts'

interface State {
  owner: string
}

export async function start(port: number): Promise<Example> {
  const hub = createHub({ proxyIdleTimeout: 60_000 })
  const orders = new Orders()
  const app = new Koa<State>()
  const router = new Router<State>()

  // Before the token check, so that a page sees a 401 as one, and a preflight, which has no token, is answered.
  app.use(cors({ origin: SITE, exposeHeaders: EXPOSED }))
  app.use(compress())
  app.use(async (ctx, next) => {
    const owner = ownerOf(ctx.get('Authorization'))
    if (owner === undefined) {
      ctx.status = 401
      ctx.body = { error: 'a token, please' }
      return
    }
    ctx.state.owner = owner
    await next()
  })

  router.get('/orders', (ctx) => {
    ctx.body = orders.of(ctx.state.owner)
  })

  router.get('/orders/:order/events', (ctx) => {
    const order = theirs(ctx.params.order, ctx.state.owner)
    if (!order) return
    // From here on the response is ours. What was set on `ctx` so far is on `ctx.res`, and stays; what a middleware sets
    // after its `await next()` comes too late.
    ctx.respond = false
    // One channel per order. What the client missed while it was away comes by itself, by its Last-Event-ID.
    hub.connect(ctx.req, ctx.res, { channels: [`order:${order.order}`], label: order.owner })
  })

  router.put('/orders/:order/:status', async (ctx) => {
    const order = theirs(ctx.params.order, ctx.state.owner)
    if (!order) return
    order.status = ctx.params.status ?? ''
    ctx.body = { id: await hub.publish(`order:${order.order}`, { event: 'status', data: order }) }
  })

  function theirs(order: string | undefined, owner: string): Order | undefined {
    return orders.find(order ?? '', owner)
  }

  app.use(router.routes())
  const server = createServer(app.callback())
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return { hub, server }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { hub, server } = await start(Number(process.env.PORT ?? 8080))
  closeOnSignals(server, hub, { within: 5_000, reconnectOver: 10_000 })
  console.log('ready', server.address())
}

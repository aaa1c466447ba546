// Fastify: node server.ts, then
//   curl -N -H 'Authorization: Bearer token-of-ada' http://127.0.0.1:8080/orders/1/events
//   curl -X PUT -H 'Authorization: Bearer token-of-ada' http://127.0.0.1:8080/orders/1/shipped

import { fileURLToPath } from 'node:url'
import compress from '@fastify/compress'
import cors from '@fastify/cors'
import fastify, { type FastifyReply } from 'fastify'
import { createHub } from 'sluice'
import { EXPOSED, type Example, Orders, ownerOf, SITE } from '../orders/orders.ts'
import { closeOnSignals } from '../rolling-restart/close-on-signals.ts'

declare module 'fastify' {
  interface FastifyRequest {
    owner: string
  }
}

export async function start(port: number): Promise<Example> {
  const hub = createHub({ proxyIdleTimeout: 60_000 })
  const orders = new Orders()
  const app = fastify()

  await app.register(cors, { origin: SITE, exposedHeaders: EXPOSED })
  await app.register(compress)
  app.decorateRequest('owner', '')
  // After the plugin for CORS, so that a page sees a 401 as one, and a preflight, which has no token, is answered.
  app.addHook('onRequest', async (request, reply) => {
    const owner = ownerOf(request.headers.authorization)
    if (owner === undefined) return reply.code(401).send({ error: 'a token, please' })
    request.owner = owner
  })
  // app.close() waits for every response, so for the streams as well: end them first. To close a hub twice does no harm.
  app.addHook('preClose', async () => {
    await hub.close({ within: 5_000, reconnectOver: 10_000 })
  })

  app.get('/orders', async (request) => orders.of(request.owner))

  app.get<{ Params: { order: string } }>('/orders/:order/events', async (request, reply) => {
    const order = orders.find(request.params.order, request.owner)
    if (!order) return reply.code(404).send()
    // From here on the response is ours: Fastify sends nothing, and its onSend hooks (the compression) are not run.
    reply.hijack()
    hub.connect(request.raw, reply.raw, {
      // One channel per order. What the client missed while it was away comes by itself, by its Last-Event-ID.
      channels: [`order:${order.order}`],
      headers: headersOf(reply),
      label: order.owner,
    })
  })

  app.put<{ Params: { order: string; status: string } }>('/orders/:order/:status', async (request, reply) => {
    const order = orders.find(request.params.order, request.owner)
    if (!order) return reply.code(404).send()
    order.status = request.params.status
    return { id: await hub.publish(`order:${order.order}`, { event: 'status', data: order }) }
  })

  await app.listen({ port, host: '127.0.0.1' })
  return { hub, server: app.server, close: () => app.close() }
}

/**
 * What hooks and plugins (CORS, a cookie, a rate limit) have set. Fastify keeps it beside the response until it sends, and
 * after `hijack` it never does.
 */
function headersOf(reply: FastifyReply): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value : String(value)
  }
  return headers
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { hub, server, close } = await start(Number(process.env.PORT ?? 8080))
  // The plugins' own onClose hooks last.
  closeOnSignals(server, hub, { within: 5_000, reconnectOver: 10_000, closed: () => void close?.() })
  console.log('ready', server.address())
}

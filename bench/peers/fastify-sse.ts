// @fastify/sse as its README shows it: a route that keeps its connection alive, a first message, and reply.sse.send
// from outside the handler. It has no broadcast of its own: the set of replies is the application's.

import type { AddressInfo } from 'node:net'
import { fastifySSE, type SSEReplyInterface } from '@fastify/sse'
import fastify from 'fastify'
import { BACKLOG, type Peer } from './peer.ts'

export async function start(): Promise<Peer> {
  const clients = new Set<SSEReplyInterface>()
  const app = fastify()
  await app.register(fastifySSE)
  app.get('/', { sse: 'only' }, async (_request, reply) => {
    const client = reply.sse
    client.keepAlive()
    await client.send({ data: 'connected' })
    clients.add(client)
    client.onClose(() => clients.delete(client))
  })
  await app.listen({ host: '127.0.0.1', port: 0, backlog: BACKLOG })
  let sent: Promise<unknown> = Promise.resolve()
  return {
    port: (app.server.address() as AddressInfo).port, // it listens on TCP
    publish(events) {
      const sends: Promise<void>[] = []
      for (const { id, data } of events) {
        for (const client of clients) sends.push(client.send({ id: String(id), data }))
      }
      sent = Promise.all(sends)
    },
    async settled() {
      await sent
    },
    close() {
      app.server.closeAllConnections()
      void app.close()
    },
  }
}

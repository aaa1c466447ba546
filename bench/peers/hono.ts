// hono on @hono/node-server as its documentation shows it: streamSSE, and writeSSE on every stream. It has no
// broadcast of its own: the set of streams is the application's.

import type { Server } from 'node:http'
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import { type SSEStreamingApi, streamSSE } from 'hono/streaming'
import { listening, type Peer } from './peer.ts'

export async function start(): Promise<Peer> {
  const clients = new Set<SSEStreamingApi>()
  const app = new Hono()
  app.get('/', (context) =>
    streamSSE(context, async (stream) => {
      await stream.writeSSE({ data: 'connected' })
      clients.add(stream)
      await new Promise<void>((resolve) => stream.onAbort(resolve))
      clients.delete(stream)
    }),
  )
  const server = createAdaptorServer({ fetch: app.fetch }) as Server // without options it is node:http's
  const port = await listening(server)
  let sent: Promise<unknown> = Promise.resolve()
  return {
    port,
    publish(events) {
      const writes: Promise<void>[] = []
      for (const { id, data } of events) {
        for (const client of clients) writes.push(client.writeSSE({ id: String(id), data }))
      }
      sent = Promise.all(writes)
    },
    async settled() {
      await sent
    },
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

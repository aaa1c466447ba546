// better-sse on node:http as its documentation shows it: sessions registered with a channel, channel.broadcast.

import { createServer } from 'node:http'
import { createChannel, createSession } from 'better-sse'
import { listening, type Peer } from './peer.ts'

export async function start(): Promise<Peer> {
  const channel = createChannel()
  const server = createServer((req, res) => {
    void createSession(req, res).then((session) => channel.register(session))
  })
  const port = await listening(server)
  return {
    port,
    publish(events) {
      for (const { id, data } of events) channel.broadcast(data, 'message', { eventId: String(id) })
    },
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

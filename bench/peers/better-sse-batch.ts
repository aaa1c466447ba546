// better-sse with its documented batching: the events at hand go into one event buffer, which every session of the
// channel is given.

import { createServer } from 'node:http'
import { createChannel, createEventBuffer, createSession } from 'better-sse'
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
      const buffer = createEventBuffer()
      for (const { id, data } of events) buffer.push(data, 'message', String(id))
      for (const session of channel.activeSessions) void session.batch(buffer)
    },
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

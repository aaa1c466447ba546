// better-sse on node:http as its documentation shows it: sessions registered with a channel, channel.broadcast.

import { createServer } from 'node:http'
import { type Channel, createChannel, createSession } from 'better-sse'
import type { BenchEvent } from '../event.ts'
import { listening, type Peer } from './peer.ts'

export async function startChannel(
  broadcast: (channel: Channel, events: readonly BenchEvent[]) => void,
): Promise<Peer> {
  const channel = createChannel()
  const server = createServer((req, res) => {
    void createSession(req, res).then((session) => channel.register(session))
  })
  const port = await listening(server)
  return {
    port,
    publish: (events) => broadcast(channel, events),
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

export function start(): Promise<Peer> {
  return startChannel((channel, events) => {
    for (const { id, data } of events) channel.broadcast(data, 'message', { eventId: String(id) })
  })
}

// express-sse on Express as its README shows it: app.get(path, sse.init), sse.send for each event. Its `serialize` sends
// several at once, but only with ids that it counts for each client by itself; send keeps the event's own id.

import { createServer } from 'node:http'
import express from 'express'
import SSE from 'express-sse'
import { listening, type Peer } from './peer.ts'

export async function start(): Promise<Peer> {
  const sse = new SSE()
  const app = express()
  app.get('/', sse.init)
  const server = createServer(app)
  const port = await listening(server)
  return {
    port,
    publish(events) {
      for (const { id, data } of events) sse.send(data, undefined, id)
    },
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

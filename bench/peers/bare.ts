// Bare node:http, for memory: answers with a stream's headers and a first block, and keeps nothing of its own.

import { createServer } from 'node:http'
import { listening, type Peer } from './peer.ts'

export async function start(): Promise<Peer> {
  const server = createServer((_req, res) => {
    res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' })
    res.write(':\n\n')
  })
  const port = await listening(server)
  return {
    port,
    publish() {},
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

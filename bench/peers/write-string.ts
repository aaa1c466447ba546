// A plain loop over node:http responses, as tutorials show it: one res.write per event and client. The text of an event
// is put together once for all clients.

import { createServer, type ServerResponse } from 'node:http'
import type { BenchEvent } from '../event.ts'
import { block, listening, type Peer } from './peer.ts'

export async function startPlain(encode: (event: BenchEvent) => string | Buffer): Promise<Peer> {
  const clients = new Set<ServerResponse>()
  const stalled = new Set<ServerResponse>()
  const server = createServer((req, res) => {
    req.socket.setNoDelay(true)
    res.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-cache',
      Connection: 'keep-alive',
    })
    res.write(':\n\n')
    clients.add(res)
    if (req.url === '/stalled') stalled.add(res)
    res.on('close', () => {
      clients.delete(res)
      stalled.delete(res)
    })
  })
  const port = await listening(server)
  return {
    port,
    publish(events) {
      for (const event of events) {
        const bytes = encode(event)
        for (const res of clients) res.write(bytes)
      }
    },
    flood(data) {
      for (const res of stalled) res.write(`data: ${data}\n\n`)
    },
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

export const start = (): Promise<Peer> => startPlain(block)

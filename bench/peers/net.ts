// The runtime's own limit: node:net with noDelay, no HTTP but a fixed answer. All that is published at once is one
// prebuilt buffer, written to every socket.

import { createServer, type Socket } from 'node:net'
import { BACKLOG, block, type Peer } from './peer.ts'

const HEAD =
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n:\n\n'

export async function start(): Promise<Peer> {
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    socket.once('data', () => {
      socket.write(HEAD)
      sockets.add(socket)
    })
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) =>
    server.listen({ host: '127.0.0.1', port: 0, backlog: BACKLOG }, resolve),
  )
  const address = server.address()
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    publish(events) {
      const bytes = Buffer.from(events.map(block).join(''))
      for (const socket of sockets) socket.write(bytes)
    },
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

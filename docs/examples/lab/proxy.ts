// A proxy that is configured wrongly on purpose, so that what it does to streams can be seen: bytes in, bytes out, and one
// of the mistakes that proxies in the field make.

import type { AddressInfo } from 'node:net'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** What it does wrong. */
export const FAULTS = Object.freeze({
  none: 'passes everything on',
  idle: 'cuts a stream that was silent for five seconds',
  age: 'cuts every stream after eight seconds',
  buffer: 'holds answers back until it has 16 KB of them',
})

export type Fault = keyof typeof FAULTS

export const IDLE_TIMEOUT = 5_000
export const MAXIMUM_DURATION = 8_000
export const BUFFER_BYTES = 16_384

export interface Proxy {
  readonly server: Server
  /** For connections from now on. */
  fault: Fault
  /** Settles with the port, on loopback. */
  listen(): Promise<number>
  close(): Promise<void>
}

/** Passes each connection on to `upstream()`, a port on loopback. */
export function createProxy(upstream: () => number): Proxy {
  const sockets = new Set<Socket>()
  const proxy: Proxy = {
    fault: 'none',
    server: createServer((client) => {
      const server = connect(upstream(), '127.0.0.1')
      for (const socket of [client, server]) {
        sockets.add(socket)
        socket.on('error', () => {})
        socket.on('close', () => {
          sockets.delete(socket)
          client.destroy()
          server.destroy()
        })
      }
      client.pipe(server)
      passOn(proxy.fault, server, client)
    }),
    async listen() {
      await new Promise<void>((resolve) => {
        proxy.server.listen(0, '127.0.0.1', resolve)
      })
      return (proxy.server.address() as AddressInfo).port // it listens on TCP
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      if (!proxy.server.listening) return
      await new Promise((resolve) => proxy.server.close(resolve))
    },
  }
  return proxy
}

function passOn(fault: Fault, server: Socket, client: Socket): void {
  if (fault === 'idle') server.setTimeout(IDLE_TIMEOUT, () => client.destroy())
  if (fault === 'age') {
    const timer = setTimeout(() => client.destroy(), MAXIMUM_DURATION)
    client.on('close', () => clearTimeout(timer))
  }
  if (fault !== 'buffer') {
    server.pipe(client)
    return
  }
  const held: Buffer[] = []
  let size = 0
  server.on('data', (bytes: Buffer) => {
    held.push(bytes)
    size += bytes.length
    if (size < BUFFER_BYTES) return
    client.write(Buffer.concat(held.splice(0)))
    size = 0
  })
}

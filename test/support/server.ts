// A server on a free port of loopback that goes away with its test.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Server as NetServer } from 'node:net'
import type { TestContext } from 'node:test'
import type { HubOptions } from '../../src/core/hub-options.ts'
import { createHub, type Hub } from '../../src/index.ts'

export type Handler = (hub: Hub, req: IncomingMessage, res: ServerResponse) => void

export interface Served {
  hub: Hub
  server: Server
  url: string
  port: number
}

/** Serves `handler`; closes hub, server and sockets after the test. */
export async function serve(
  t: Pick<TestContext, 'after'>,
  handler: Handler,
  options: HubOptions = {},
): Promise<Served> {
  const hub = createHub(options)
  const server = createServer((req, res) => handler(hub, req, res))
  const port = await listen(server)
  t.after(async () => {
    await hub.close({ within: 0 })
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { hub, server, port, url: `http://127.0.0.1:${port}/` }
}

export async function listen(server: NetServer): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return (server.address() as AddressInfo).port
}

/** Settles when `done` holds, asking at every turn of the event loop; fails after ten seconds. */
export async function eventually(done: () => boolean, what = done.toString()): Promise<void> {
  const end = performance.now() + 10_000
  while (!done()) {
    if (performance.now() > end) throw new Error(`gave up waiting for ${what}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

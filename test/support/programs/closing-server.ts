// A server with many connections that closes when told, and then has nothing that keeps its process. Started by
// shutdown.test.ts, in a network namespace whose sockets hold little, so that a stalled reader is seen soon.

import { createServer } from 'node:http'
import { createHub } from 'sluice'

const hub = createHub()
hub.channel('ballast', { maxBytes: 65_536 })
const server = createServer((req, res) => {
  hub.connect(req, res, { channels: req.url === '/stalled' ? ['a', 'ballast'] : ['a'] })
})

process.on('message', async (order: { stall: number } | 'close') => {
  if (order !== 'close') {
    const blocked = (): number => hub.connections().filter(({ state }) => state === 'blocked').length
    // All of them, and not for a moment only: what the kernel takes a little later is no stall.
    let lasting = 0
    for (let n = 0; n < 2_000 && lasting < 100; n += 1) {
      lasting = blocked() < order.stall ? 0 : lasting + 1
      void hub.publish('ballast', { data: 'x'.repeat(15_000) })
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    process.send?.({ blocked: blocked() })
    return
  }
  for (let n = 1; n <= 50; n += 1) void hub.publish('a', { data: String(n) })
  server.close()
  const began = performance.now()
  const counts = await hub.close({ within: 4_000, reconnectOver: 30_000 })
  const took = performance.now() - began
  const { connections, closes } = hub.stats()
  process.send?.({ counts, took, connections, closes }, () => process.disconnect())
})

server.listen({ host: '127.0.0.1', port: 0, backlog: 4_096 }, () => {
  const address = server.address()
  process.send?.({ port: typeof address === 'object' ? address?.port : 0 })
})

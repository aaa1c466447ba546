// One process of the cluster: publishes what it is told, and says when it is written and what it has used.

import { createServer } from 'node:http'
import type { BenchEvent } from '../event.ts'
import { createHub } from './library.ts'
import { BACKLOG } from './peer.ts'

const hub = createHub()
const server = createServer((req, res) => {
  hub.connect(req, res, { channels: ['bench'] })
})
// Port 0 is the same free port for every process of a cluster.
server.listen({ host: '127.0.0.1', port: 0, backlog: BACKLOG }, () => {
  const address = server.address()
  process.send?.({ port: typeof address === 'object' && address ? address.port : 0 })
})

process.on('message', async (events: BenchEvent[]) => {
  const { connections, delivered } = hub.stats()
  for (const { data } of events) void hub.publish('bench', { data })
  while (hub.stats().delivered < delivered + connections * events.length) {
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  const { user, system } = process.cpuUsage()
  process.send?.({ cpu: user + system })
})

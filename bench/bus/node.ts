// One node of the bus scenario: a hub on the bus, and a port.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createHub } from '../../src/index.ts'
import { busOf, type Where } from './engines.ts'

const where = JSON.parse(process.argv[2] ?? '') as Where // what the scenario has written
const { bus } = await busOf(where)
const hub = createHub({
  bus,
  channelDefaults: { maxEvents: 20_000, maxBytes: 16_777_216 },
})
await hub.ready()
const server = createServer((req, res) => void hub.connect(req, res, { channels: ['load'] }))
server.listen(0, '127.0.0.1', 4_096, () => process.send?.({ port: (server.address() as AddressInfo).port }))
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send?.({ cpu: user + system, gaps: hub.stats().gaps })
})
process.on('disconnect', () => process.exit(0))

// Sluice as its README shows it: one channel, the library's defaults.

import { createServer } from 'node:http'
import type { BenchEvent } from '../event.ts'
import { createHub } from './library.ts'
import { BALLAST_BYTES, listening, type Peer } from './peer.ts'

export async function start(): Promise<Peer> {
  const hub = createHub()
  hub.channel('ballast', { maxBytes: BALLAST_BYTES })
  const server = createServer((req, res) => {
    hub.connect(req, res, { channels: req.url === '/stalled' ? ['bench', 'ballast'] : ['bench'] })
  })
  const port = await listening(server)
  let expected = 0
  let readers = 0
  return {
    port,
    publish(events: readonly BenchEvent[]) {
      const { connections, delivered } = hub.stats()
      readers = connections
      expected = Math.max(expected, delivered) + connections * events.length
      for (const { data } of events) void hub.publish('bench', { data })
    },
    async settled() {
      for (;;) {
        const { connections, delivered } = hub.stats()
        // What was on its way to somebody who has left meanwhile will never be delivered.
        if (connections < readers) expected = delivered
        if (delivered >= expected) return
        await new Promise<void>((resolve) => setImmediate(resolve))
      }
    },
    flood(data) {
      void hub.publish('ballast', { data })
    },
    stalls: () => hub.stats().stalls,
    position: () => hub.position,
    close() {
      server.close()
      void hub.close({ within: 0 })
    },
  }
}

// A process on the bus of its machine: appends, hears, is held up, and reports, as it is told.

import { clusterBus } from '../../../src/bus/cluster.ts'
import type { Entry } from '../../../src/core/bus.ts'

const [name = ''] = process.argv.slice(2)
const bus = clusterBus()
const entries = new Map<number, string>()
const decoder = new TextDecoder()
const keep = ({ position, body }: Entry): void => {
  entries.set(position, decoder.decode(body.subarray(0, 20)))
}
let last = 0

/** What was missed, as a hub would read it. */
async function repair(): Promise<void> {
  for (let after = 0; ; ) {
    const page = await bus.read(after, 500)
    if (page.entries.length === 0) return
    for (const entry of page.entries) keep(entry)
    after = page.entries.at(-1)?.position ?? after
  }
}

await bus.tail({
  up: () => {},
  down: () => {},
  entry: (entry) => {
    keep(entry)
    last = entry.position
  },
})
process.on('message', async (message: { do: string; count: number; ms: number }) => {
  if (message.do === 'append') {
    const encoder = new TextEncoder()
    for (let n = 0; n < message.count; n += 1) {
      const appended = bus.append('c', encoder.encode(`${name}${n}`))
      if (n % 50 === 49) await appended
    }
  } else if (message.do === 'block') {
    const end = performance.now() + message.ms
    while (performance.now() < end) {}
  } else if (message.do === 'report') {
    while (entries.size < message.count) {
      await repair()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const order = [...entries].sort(([a], [b]) => a - b).map(([, text]) => text)
    process.send?.({ entries: order, last })
  }
})
process.send?.({ ready: true })

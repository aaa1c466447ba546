// The server process: one peer, what it uses, and the publisher that drives it. Forked, one per run.

import { writeHeapSnapshot } from 'node:v8'
import { load, type PeerName } from '../peers/index.ts'
import type { Peer, PeerOptions } from '../peers/peer.ts'
import { Acks } from './acks.ts'
import { cpuMicros, type FanOutOrder, fanOut, type PacedOrder, paced, publish } from './publisher.ts'
import { serve } from './remote.ts'

let peer: Peer
const acks = new Acks()

const operations = {
  async start({ name, options }: { name: PeerName; options: PeerOptions }) {
    peer = await (await load(name))(options)
    return { port: peer.port, ackPort: await acks.listen() }
  },
  fanOut: (order: FanOutOrder) => fanOut(peer, acks, order),
  paced: (order: PacedOrder) => paced(peer, order),
  publish: ({ count, size }: { count: number; size: number }) => publish(peer, count, size),
  /** Publishes to the stalled only, with a pause after each so that what the kernel takes is taken. */
  async flood({ bytes, size }: { bytes: number; size: number }) {
    if (!peer.flood) throw new Error('this peer cannot publish to the stalled only')
    for (let sent = 0; sent < bytes; sent += size) {
      peer.flood('x'.repeat(size))
      await pause(10)
    }
  },
  /** How many the server itself has found stalled. */
  stalls: (_: undefined) => peer.stalls?.() ?? Number.NaN,
  position: (_: undefined) => peer.position?.() ?? '',
  cpu: (_: undefined) => cpuMicros(peer),
  async memory(_: undefined) {
    // Twice, with a turn between: what a finaliser lets go is collected by the second.
    for (let n = 0; n < 2; n += 1) {
      globalThis.gc?.()
      await pause(20)
    }
    const { heapUsed, external, rss } = process.memoryUsage()
    const outside = peer.memoryBytes?.()
    return { bytes: outside ?? heapUsed + external, rss: outside ?? rss }
  },
  /** What a leak would show in. */
  resources(_: undefined) {
    const kinds: Record<string, number> = {}
    for (const kind of process.getActiveResourcesInfo()) kinds[kind] = (kinds[kind] ?? 0) + 1
    const listeners = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0)
    const handles = Object.values(kinds).reduce((sum, count) => sum + count, 0)
    return { handles, timers: kinds.Timeout ?? 0, listeners }
  },
  heapSnapshot: ({ file }: { file: string }) => writeHeapSnapshot(file),
  stop(_: undefined) {
    peer.close()
  },
}

export type ServerOperations = typeof operations

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

serve(operations)

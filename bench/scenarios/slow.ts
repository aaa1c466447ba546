// slow: some clients stop reading. What do the others notice, and what do the stalled ones cost?

import { Session } from '../harness/session.ts'
import type { PeerName } from '../peers/index.ts'
import type { Metrics } from '../result.ts'
import { percentiles } from '../statistics.ts'
import { interleaved, type Scenario } from './scenario.ts'

/** A step of the flood, and where it ends: a socket on the loopback interface swallows 4 MB before a write blocks. */
const FLOOD_STEP = 1_000_000
const FLOOD_MOST = 16_000_000
const FLOOD_EVENT = 30_000
const FLOOD_BLIND = 5_000_000

export const slow: Scenario = {
  name: 'slow',
  summary: 'some clients stop reading: latency of the others, memory for the stalled',
  method:
    'All connections are opened, some of which never read. Paced events before: latencyP99Ms of the healthy. Then the stalled ones, and only they, are flooded until their sockets take no more (4 MB each lie in the kernel; a peer that cannot say when gets 5 MB each). Paced events again: stalledLatencyP99Ms of the healthy. extraBytes is what heap and external memory of the server process have grown by, after two collections, between the two. Every healthy client must have every event.',
  options: {
    connections: { value: 'N', default: '5000', help: 'connections, the stalled included' },
    stalled: { value: 'N', default: '1000', help: 'of them, how many stop reading' },
    rate: { value: 'N', default: '10', help: 'events a second' },
    seconds: { value: 'N', default: '8', help: 'how long each half' },
    peers: { value: 'NAME,…', default: 'sluice,write-string', help: 'sluice, write-string, write-buffer' },
    rounds: { value: 'N', default: '3', help: 'how often each' },
  },
  async run(options) {
    const notes: string[] = []
    const connections = options.number('connections')
    const stalled = options.number('stalled')
    const order = { rate: options.number('rate'), size: 150, seconds: options.number('seconds') }
    const cases = options.peers(notes).map((peer) => ({
      peer,
      params: { connections, stalled, eventsPerSecond: order.rate },
      measure: () => measureSlow(peer, connections, stalled, order),
    }))
    return { runs: await interleaved('slow', options.number('rounds'), cases), notes }
  },
}

export async function measureSlow(
  peer: PeerName,
  connections: number,
  stalled: number,
  order: { rate: number; size: number; seconds: number },
): Promise<Metrics> {
  const healthy = connections - stalled
  return await Session.run(peer, connections, async (session) => {
    await session.connect(healthy)
    await session.connect(stalled, { path: '/stalled', stalled: true })
    await session.paced({ ...order, seconds: 1 })
    const before = await phase(session, healthy, order)
    const floodedBytes = await flood(session, stalled)
    const after = await phase(session, healthy, order)
    return {
      latencyP50Ms: before.p50,
      latencyP99Ms: before.p99,
      stalledLatencyP50Ms: after.p50,
      stalledLatencyP99Ms: after.p99,
      extraBytes: after.bytes - before.bytes,
      extraRss: after.rss - before.rss,
      floodedBytes,
      stallsSeen: await session.server.call('stalls', undefined),
    }
  })
}

async function phase(
  session: Session,
  healthy: number,
  order: { rate: number; size: number; seconds: number },
) {
  await session.expect(0)
  const { latencies, published } = await session.paced(order)
  const counts = await session.counts()
  const total = counts.reduce((sum, count) => sum + count.total, 0)
  // The stalled have stopped before the first event.
  if (total !== published * healthy) {
    throw new Error(`the healthy clients have ${total} of ${published * healthy} events`)
  }
  return { ...percentiles(latencies), ...(await session.server.call('memory', undefined)) }
}

/** Until each is blocked, or as much as makes it so where the server does not say. Returns the bytes sent to each. */
async function flood(session: Session, stalled: number): Promise<number> {
  const blind = Number.isNaN(await session.server.call('stalls', undefined))
  let sent = 0
  while (sent < (blind ? FLOOD_BLIND : FLOOD_MOST)) {
    await session.server.call('flood', { bytes: FLOOD_STEP, size: FLOOD_EVENT })
    sent += FLOOD_STEP
    if ((await session.server.call('stalls', undefined)) >= stalled) return sent
  }
  if (!blind) throw new Error(`not all of ${stalled} clients were stalled by ${sent} bytes each`)
  return sent
}

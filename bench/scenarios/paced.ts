// paced: events at a steady rate, and how late they come.

import { Session } from '../harness/session.ts'
import type { PeerName } from '../peers/index.ts'
import type { Metrics } from '../result.ts'
import { percentiles } from '../statistics.ts'
import { interleaved, type Scenario } from './scenario.ts'

export const paced: Scenario = {
  name: 'paced',
  summary: 'events at a steady rate: latency and event-loop delay',
  method:
    'Open loop: each event is due at its time, whether or not the one before has left, and carries that time; latency is from then until a client has read it, for every client and event (monotonic clock, one for all processes). It includes the time that the load processes need. loopDelay* are of the server, by perf_hooks.monitorEventLoopDelay at 1 ms, its own millisecond included.',
  options: {
    connections: { value: 'N,…', default: '5000', help: 'connections' },
    rate: { value: 'N', default: '10', help: 'events a second' },
    size: { value: 'BYTES', default: '150', help: 'about what an event takes on the wire' },
    peers: {
      value: 'NAME,…',
      default: 'sluice,write-string,better-sse,fastify-sse,hono,nchan,net',
      help: 'who is measured',
    },
    rounds: { value: 'N', default: '3', help: 'how often each' },
    seconds: { value: 'N', default: '10', help: 'how long each' },
  },
  async run(options) {
    const notes: string[] = []
    const peers = options.peers(notes)
    const order = {
      rate: options.number('rate'),
      size: options.number('size'),
      seconds: options.number('seconds'),
    }
    const cases = options.numbers('connections').flatMap((connections) =>
      peers.map((peer) => ({
        peer,
        params: { connections, eventsPerSecond: order.rate, bytes: order.size },
        measure: () => measurePaced(peer, connections, order),
      })),
    )
    return { runs: await interleaved('paced', options.number('rounds'), cases), notes }
  },
}

export async function measurePaced(
  peer: PeerName,
  connections: number,
  order: { rate: number; size: number; seconds: number },
): Promise<Metrics> {
  return await Session.run(peer, connections, async (session) => {
    await session.connect(connections)
    return await pacedMetrics(session, peer, order)
  })
}

async function pacedMetrics(
  session: Session,
  peer: PeerName,
  order: { rate: number; size: number; seconds: number },
): Promise<Metrics> {
  // What a server compiles and grows at its first events is not what it is measured for.
  await session.paced({ ...order, seconds: 1 })
  await session.expect(0)
  const result = await session.paced(order)
  await session.verify(result.published)
  const { p50, p99, p999, max } = percentiles(result.latencies)
  return {
    latencyP50Ms: p50,
    latencyP99Ms: p99,
    latencyP999Ms: p999,
    latencyMaxMs: max,
    // nchan's loop is not in the process that is looked at.
    ...(peer === 'nchan'
      ? {}
      : { loopDelayP99Ms: result.loopDelayP99Ms, loopDelayMaxMs: result.loopDelayMaxMs }),
    cpuShare: result.cpuShare,
  }
}

// storm: many clients at the same moment, first new, then coming back to resume.

import { Session } from '../harness/session.ts'
import type { PeerName } from '../peers/index.ts'
import type { Metrics } from '../result.ts'
import { percentiles } from '../statistics.ts'
import { interleaved, type Scenario } from './scenario.ts'

const MISSED = 10
const RESUME_WITHIN = 15_000

export const storm: Scenario = {
  name: 'storm',
  summary: 'thousands connect at once; thousands reconnect at once and resume',
  method:
    'All clients connect at the same moment: connectsPerSecond until the last has the first byte of its answer, and the time to first byte of each, queueing included. Then some leave together, ten events are published, and they come back together with the last event ID they have: resumesPerSecond until the last has all ten, and nobody has one twice. A peer without a history is not asked to resume.',
  options: {
    connections: { value: 'N', default: '10000', help: 'clients that connect at once' },
    reconnect: { value: 'N', default: '5000', help: 'of them, how many come back at once' },
    peers: {
      value: 'NAME,…',
      default: 'sluice,write-string,better-sse,fastify-sse,nchan',
      help: 'who is measured',
    },
    rounds: { value: 'N', default: '3', help: 'how often each' },
  },
  async run(options) {
    const notes: string[] = []
    const connections = options.number('connections')
    const reconnect = options.number('reconnect')
    const cases = options.peers(notes).map((peer) => ({
      peer,
      params: { connections, reconnect },
      measure: () => measureStorm(peer, connections, reconnect),
    }))
    return { runs: await interleaved('storm', options.number('rounds'), cases), notes }
  },
}

export async function measureStorm(peer: PeerName, connections: number, reconnect: number): Promise<Metrics> {
  return await Session.run(peer, connections, async (session) => {
    const cpu = await session.server.call('cpu', undefined)
    const start = performance.now()
    const firstBytes = percentiles(await session.connect(connections, { storm: true }))
    const elapsed = performance.now() - start
    const used = (await session.server.call('cpu', undefined)) - cpu
    const resumed = await resume(session, reconnect)
    return {
      connectsPerSecond: connections / (elapsed / 1_000),
      firstByteP50Ms: firstBytes.p50,
      firstByteP99Ms: firstBytes.p99,
      cpuMicrosPerConnect: used / connections,
      ...resumed,
    }
  })
}

async function resume(session: Session, reconnect: number): Promise<Metrics> {
  const lastEventId = await session.server.call('position', undefined)
  const cpu = await session.server.call('cpu', undefined)
  await session.leave(reconnect)
  await session.expect(0)
  if (lastEventId === '') return { resumesPerSecond: Number.NaN, cpuMicrosPerResume: Number.NaN }
  await session.server.call('publish', { count: MISSED, size: 150 })
  const start = performance.now()
  await session.connect(reconnect, { storm: true, lastEventId })
  for (;;) {
    const counts = await session.counts()
    if (counts.every(({ least }) => least >= MISSED)) break
    if (performance.now() - start > RESUME_WITHIN) throw new Error('not every client has resumed')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const elapsed = performance.now() - start
  await session.verify(MISSED)
  const used = (await session.server.call('cpu', undefined)) - cpu
  return {
    resumesPerSecond: reconnect / (elapsed / 1_000),
    cpuMicrosPerResume: used / reconnect,
  }
}

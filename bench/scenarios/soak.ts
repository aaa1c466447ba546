// soak: clients come, go and stall for a long time; nothing may be left of them.

import { Session } from '../harness/session.ts'
import type { PeerName } from '../peers/index.ts'
import { progress } from '../progress.ts'
import type { Run } from '../result.ts'
import { ratio } from '../result.ts'
import { median } from '../statistics.ts'
import type { Scenario } from './scenario.ts'

/** What is always there, and at which the server is looked at. */
const BASE = 100
/** At each level: this part leaves and as many come, and this part stops reading. */
const CHURN = 0.2
const STALLED = 0.02
/** Growth that is no trend: of collections and of the runtime's own caches. */
const HEAP_SLACK = 1_048_576
const HEAP_SHARE = 1.1
const COUNT_SLACK = 5
/** The first cycles compile and grow what stays. */
const WARM = 2

export const soak: Scenario = {
  name: 'soak',
  summary: 'hours of churn and stalls: heap, handles, timers, listeners',
  method:
    'In cycles: up to each level of connections, events all the while, at each level a fifth leaves and as many come, some stop reading, and back to 100. There, after two collections, heap, handles, timers and listeners of the server process are looked at. It fails, and writes a heap snapshot, when the median of the last third of the cycles lies above that of the first third (the first two are left out): heap by more than 10 % and 1 MB, the others by more than 5.',
  options: {
    minutes: { value: 'N', default: '10', help: 'how long' },
    levels: { value: 'N,…', default: '1000,5000', help: 'connections of a cycle' },
    hold: { value: 'SECONDS', default: '3', help: 'how long at each level' },
    rate: { value: 'N', default: '20', help: 'events a second' },
    peers: { value: 'NAME', default: 'sluice', help: 'who is watched' },
    snapshot: {
      value: 'FILE',
      default: 'soak.heapsnapshot',
      help: 'where the heap snapshot of a failure goes',
    },
  },
  async run(options) {
    const notes: string[] = []
    const runs: Run[] = []
    for (const peer of options.peers(notes)) {
      const measured = await measureSoak(peer, {
        seconds: options.number('minutes') * 60,
        levels: options.numbers('levels'),
        hold: options.number('hold'),
        rate: options.number('rate'),
        snapshot: options.text('snapshot'),
      })
      runs.push(...measured)
    }
    return { runs, notes, ratios: trends(runs) }
  },
}

export interface SoakOptions {
  seconds: number
  levels: readonly number[]
  hold: number
  rate: number
  snapshot: string
}

export async function measureSoak(peer: PeerName, options: SoakOptions): Promise<Run[]> {
  const { levels, hold, rate } = options
  const most = Math.max(...levels)
  const params = { levels: levels.join('/'), eventsPerSecond: rate }
  return await Session.run(peer, Math.ceil(most * (1 + STALLED)), async (session) => {
    const runs: Run[] = []
    const end = performance.now() + options.seconds * 1_000
    await session.connect(BASE)
    for (let cycle = 1; cycle === 1 || performance.now() < end; cycle += 1) {
      for (const level of levels) {
        progress(`soak: ${peer}, cycle ${cycle}, ${level} connections`)
        await session.connect(Math.max(0, level - session.connections))
        const leaving = Math.floor(level * CHURN)
        const stalling = Math.ceil(level * STALLED)
        const publishing = session.paced({ rate, size: 150, seconds: hold })
        await session.leave(leaving)
        await session.connect(leaving)
        await session.connect(stalling, { stalled: true })
        await publishing
        await session.leave(stalling)
      }
      await session.leave(session.connections - BASE)
      await new Promise((resolve) => setTimeout(resolve, 500))
      const { bytes, rss } = await session.server.call('memory', undefined)
      const resources = await session.server.call('resources', undefined)
      const metrics = { heapBytes: bytes, rssBytes: rss, ...resources }
      runs.push({ peer, params, round: cycle, metrics })
    }
    for (const { lost } of await session.counts()) {
      if (lost.length > 0) throw new Error(`${lost.length} clients were lost: ${lost[0]}`)
    }
    if (trends(runs).some(({ ok }) => !ok)) {
      await session.server.call('heapSnapshot', { file: options.snapshot })
      process.stderr.write(`A heap snapshot is in ${options.snapshot}\n`)
    }
    return runs
  })
}

export function trends(all: readonly Run[]) {
  const peers = [...new Set(all.map(({ peer }) => peer))]
  return peers.flatMap((peer) => {
    const runs = all.filter((run) => run.peer === peer && run.round > WARM)
    const third = Math.ceil(runs.length / 3)
    // Fewer cycles have no trend.
    if (runs.length < 4) return []
    const growth = (name: string) => {
      const of = (part: readonly Run[]) => median(part.map(({ metrics }) => metrics[name] ?? Number.NaN))
      return { first: of(runs.slice(0, third)), last: of(runs.slice(-third)) }
    }
    const heap = growth('heapBytes')
    const allowed = Math.max(HEAP_SHARE, 1 + HEAP_SLACK / heap.first)
    return [
      ratio(`soak, ${peer}: heap at rest, last third to first`, heap.last / heap.first, 'at most', allowed),
      ...['handles', 'timers', 'listeners'].map((name) => {
        const { first, last } = growth(name)
        return ratio(
          `soak, ${peer}: ${name} at rest, more than at first`,
          last - first,
          'at most',
          COUNT_SLACK,
        )
      }),
    ]
  })
}

// check: the small form of every scenario, and the ratios that must hold. Each ratio is of two measurements that alternate
// in this run, so it says the same on a slow machine and on a fast one.

import { available } from '../options.ts'
import type { PeerName } from '../peers/index.ts'
import { BALLAST_BYTES } from '../peers/peer.ts'
import { type Metrics, type Ratio, type Run, ratio } from '../result.ts'
import { median } from '../statistics.ts'
import { codecCases } from './codec.ts'
import { measureCores } from './cores.ts'
import { measureFanOut } from './fanout.ts'
import { measureHeartbeats, measureMemory } from './idle.ts'
import { measurePaced } from './paced.ts'
import { type Case, interleaved, type Scenario } from './scenario.ts'
import { measureSlow } from './slow.ts'
import { measureSoak, trends } from './soak.ts'
import { measureStorm } from './storm.ts'

const FEW = 100
const MANY = 15_000
const IDLE = 4_000
const STALLED = 200
/** What a log of the bench's own small events and the bookkeeping of a write under way may take beside the ballast. */
const STALL_SLACK = 1_048_576

export const check: Scenario = {
  name: 'check',
  summary: 'the small form of each scenario; fails when a ratio is missed',
  method:
    'Medians of the ratios of runs that alternate. "turn": a burst follows in the next turn of the event loop, "written": when the one before was handed to every socket.',
  options: {
    rounds: { value: 'N', default: '3', help: 'how often each of the fan-outs' },
    seconds: { value: 'N', default: '0.5', help: 'how long each of the fan-outs' },
  },
  async run(options) {
    const notes: string[] = []
    const rounds = options.number('rounds')
    const seconds = options.number('seconds')
    const runs: Run[] = []
    const ratios: Ratio[] = []
    const part = async (name: string, times: number, cases: Case[]): Promise<Run[]> => {
      const done = await interleaved(name, times, cases)
      runs.push(...done)
      return done
    }
    const peers = (names: PeerName[]) => names.filter((name) => available(name, notes))

    const one = await part(
      'one event per turn',
      rounds,
      peers(['sluice', 'write-string', 'better-sse', 'nchan']).map((peer) =>
        fanOutCase(peer, { connections: 1_000, burst: 1, pace: 'turn', seconds }),
      ),
    )
    const faster = (of: Run[], peer: string, floor: number, what: string) => {
      if (of.some((run) => run.peer === peer)) {
        ratios.push(
          ratio(
            `${what}: deliveries per CPU second to ${peer}`,
            sides(of, 'cpuMicrosPerDelivery', peer, 'sluice'),
            'at least',
            floor,
          ),
        )
      }
    }
    faster(one, 'write-string', 1.4, 'one event per turn')
    faster(one, 'better-sse', 1.8, 'one event per turn')
    faster(one, 'nchan', 1, 'one event per turn')

    const sixteen = await part(
      'sixteen events per turn',
      rounds,
      peers(['sluice', 'write-string', 'better-sse']).map((peer) =>
        fanOutCase(peer, { connections: 1_000, burst: 16, pace: 'turn', seconds }),
      ),
    )
    faster(sixteen, 'write-string', 4, 'sixteen events per turn')
    faster(sixteen, 'better-sse', 9, 'sixteen events per turn')

    const sizes = [FEW, MANY]
    const growing = await part(
      'growing',
      1,
      sizes.flatMap((connections) =>
        (['sluice', 'net'] as const).map((peer) =>
          fanOutCase(peer, { connections, burst: 1, pace: 'written', seconds }),
        ),
      ),
    )
    const growth = (peer: string) => {
      const [few, many] = sizes.map((connections) =>
        median(
          metric(
            growing,
            'cpuMicrosPerDelivery',
            (run) => run.peer === peer && run.params.connections === connections,
          ),
        ),
      ) as [number, number] // two sizes
      return many / few
    }
    // A socket that was not touched for 15,000 others is cold in every cache, for the kernel as well: the runtime's own
    // limit grows by the same cause, and is what the growth is held against.
    ratios.push(
      ratio(
        `CPU per delivery, ${MANY} connections to ${FEW}, to that of net`,
        growth('sluice') / growth('net'),
        'at most',
        1.2,
      ),
    )

    const memory = await part(
      'memory',
      1,
      (['bare', 'sluice'] as const).map((peer) => ({
        peer,
        params: { connections: IDLE },
        measure: () => measureMemory(peer, IDLE),
      })),
    )
    const bytes = (peer: string) => median(metric(memory, 'bytesPerConnection', (run) => run.peer === peer))
    ratios.push(
      ratio(
        'memory per idle connection over bare node:http, KB',
        (bytes('sluice') - bytes('bare')) / 1_024,
        'at most',
        1,
      ),
    )

    const beats = await part('heartbeats', 1, [
      {
        peer: 'sluice',
        params: { connections: 10_000, seconds: 20 },
        measure: () => measureHeartbeats('sluice', 10_000, 20),
      },
    ])
    ratios.push(
      ratio('10,000 idle connections, share of a core', median(metric(beats, 'cpuShare')), 'at most', 0.02),
    )

    const order = { rate: 10, size: 150, seconds: 2 }
    const steady = await part(
      'paced',
      1,
      (['sluice', 'write-string'] as const).map((peer) => ({
        peer,
        params: { connections: MANY, eventsPerSecond: order.rate },
        measure: () => measurePaced(peer, MANY, order),
      })),
    )
    ratios.push(
      ratio(
        `event-loop delay p99, 10 events/s to ${MANY}, to write-string`,
        sides(steady, 'loopDelayP99Ms', 'sluice', 'write-string'),
        'at most',
        0.5,
      ),
    )

    const stalls = await part('slow', 2, [
      {
        peer: 'sluice',
        params: { connections: STALLED * 5, stalled: STALLED },
        measure: () => measureSlow('sluice', STALLED * 5, STALLED, { ...order, rate: 50 }),
      },
    ])
    const late = quotients(metric(stalls, 'stalledLatencyP99Ms'), metric(stalls, 'latencyP99Ms'))
    ratios.push(
      ratio(
        `${STALLED} stalled of ${STALLED * 5}: p99 of the healthy, after to before`,
        Math.min(...late),
        'at most',
        1.2,
      ),
      ratio(
        `${STALLED} stalled: extra memory to the bytes of the logs`,
        median(metric(stalls, 'extraBytes')) / (BALLAST_BYTES + STALL_SLACK),
        'at most',
        1,
      ),
    )

    await part('storm', 1, [
      { peer: 'sluice', params: { connections: 2_000 }, measure: () => measureStorm('sluice', 2_000, 1_000) },
    ])
    await part('codec', 1, codecCases(150, 0.2))
    await part(
      'cores',
      1,
      [1, 2].map((workers) => ({
        peer: 'sluice',
        params: { connections: 1_000, processes: workers },
        measure: () => measureCores(workers, 1_000, { burst: 1, size: 150, seconds }),
      })),
    )
    const soaked = await measureSoak('sluice', {
      seconds: 9,
      levels: [300],
      hold: 0.3,
      rate: 50,
      snapshot: 'soak.heapsnapshot',
    })
    runs.push(...soaked)
    ratios.push(...trends(soaked))
    return { runs, ratios, notes }
  },
}

function fanOutCase(
  peer: PeerName,
  {
    connections,
    burst,
    pace,
    seconds,
  }: { connections: number; burst: number; pace: 'turn' | 'written'; seconds: number },
): Case {
  return {
    peer,
    params: { connections, eventsPerTurn: burst, bytes: 150, pace },
    measure: () => measureFanOut(peer, connections, { burst, size: 150, pace, seconds }),
  }
}

/** The median over the rounds of one peer's figure by another's. */
function sides(runs: readonly Run[], name: string, one: string, other: string): number {
  const of = (peer: string) => metric(runs, name, (run) => run.peer === peer)
  return median(quotients(of(one), of(other)))
}

function metric(
  runs: readonly Run[],
  name: keyof Metrics,
  which: (run: Run) => boolean = () => true,
): number[] {
  return runs.filter(which).map(({ metrics }) => metrics[name] ?? Number.NaN)
}

function quotients(above: readonly number[], below: readonly number[]): number[] {
  return above.map((value, index) => value / (below[index] ?? Number.NaN))
}

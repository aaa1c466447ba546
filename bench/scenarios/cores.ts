// cores: several processes that share one port.

import { cpus } from 'node:os'
import { Session } from '../harness/session.ts'
import type { Metrics } from '../result.ts'
import { fanOutMetrics } from './fanout.ts'
import { interleaved, type Scenario } from './scenario.ts'

export const cores: Scenario = {
  name: 'cores',
  summary: 'fan-out by several processes that share one port (node:cluster)',
  method:
    "Like fanout, with Sluice in several processes, each of which is told what is published and sends it to its share of the connections. Nothing is pinned, and the load processes need cores as well: with as many processes as cores the two stand in each other's way. CPU time is that of all server processes.",
  options: {
    workers: {
      value: 'N,…',
      default: [...new Set([1, 2, cpus().length])].join(','),
      help: 'processes that serve',
    },
    connections: { value: 'N', default: '5000', help: 'connections' },
    burst: { value: 'N', default: '1', help: 'events published at once' },
    size: { value: 'BYTES', default: '150', help: 'about what an event takes on the wire' },
    rounds: { value: 'N', default: '3', help: 'how often each' },
    seconds: { value: 'N', default: '3', help: 'how long each' },
  },
  async run(options) {
    const connections = options.number('connections')
    const burst = options.number('burst')
    const size = options.number('size')
    const seconds = options.number('seconds')
    const cases = options.numbers('workers').map((workers) => ({
      peer: 'sluice',
      params: { processes: workers, connections, eventsPerTurn: burst, bytes: size },
      measure: () => measureCores(workers, connections, { burst, size, seconds }),
    }))
    return { runs: await interleaved('cores', options.number('rounds'), cases) }
  },
}

export async function measureCores(
  workers: number,
  connections: number,
  options: { burst: number; size: number; seconds: number },
): Promise<Metrics> {
  const work = async (session: Session): Promise<Metrics> => {
    await session.connect(connections)
    return await fanOutMetrics(session, options)
  }
  return await Session.run('sluice-cluster', connections, work, { workers })
}

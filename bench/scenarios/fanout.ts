// fanout: as many events as the server can send to all its connections.

import { type FanOutOptions, Session } from '../harness/session.ts'
import { FAN_OUT_PEERS, type PeerName } from '../peers/index.ts'
import type { Metrics } from '../result.ts'
import { type Case, interleaved, type Scenario } from './scenario.ts'

export const fanout: Scenario = {
  name: 'fanout',
  summary: 'events to all connections as fast as they go: server CPU time per delivery',
  method:
    'One event of `size` bytes (or `burst` at once) is published to all connections, again and again, in a server process of its own for each run. A burst follows when the one before was handed to every socket (pace "written"), or in the next turn of the event loop whatever is under way (pace "turn"). After a window of bursts every client must have counted all of it, or the run fails. cpuMicrosPerDelivery is the CPU time of the server process (user and system) by deliveries: the headline. deliveriesPerSecond also depends on how fast the load processes read.',
  options: {
    connections: { value: 'N,…', default: '1000', help: 'connections' },
    burst: { value: 'N,…', default: '1,16', help: 'events published at once' },
    size: { value: 'BYTES,…', default: '150', help: 'about what an event takes on the wire' },
    pace: { value: 'written,turn', default: 'written', help: 'what the next burst waits for' },
    peers: { value: 'NAME,…', default: FAN_OUT_PEERS.join(','), help: 'who is measured' },
    rounds: { value: 'N', default: '5', help: 'how often each' },
    seconds: { value: 'N', default: '2', help: 'how long each' },
  },
  async run(options) {
    const notes: string[] = []
    const peers = options.peers(notes)
    const cases: Case[] = []
    const seconds = options.number('seconds')
    for (const connections of options.numbers('connections')) {
      for (const size of options.numbers('size')) {
        for (const burst of options.numbers('burst')) {
          for (const pace of options.list('pace') as ('written' | 'turn')[]) {
            for (const peer of peers) {
              const params = { connections, eventsPerTurn: burst, bytes: size, pace }
              const measure = () => measureFanOut(peer, connections, { burst, size, pace, seconds })
              cases.push({ peer, params, measure })
            }
          }
        }
      }
    }
    return { runs: await interleaved('fanout', options.number('rounds'), cases), notes }
  },
}

export async function measureFanOut(
  peer: PeerName,
  connections: number,
  options: FanOutOptions,
): Promise<Metrics> {
  return await Session.run(peer, connections, async (session) => {
    await session.connect(connections)
    return await fanOutMetrics(session, options)
  })
}

export async function fanOutMetrics(session: Session, options: FanOutOptions): Promise<Metrics> {
  const { cpuMicrosPerDelivery, deliveriesPerSecond, cpuShare } = await session.fanOut(options)
  return { cpuMicrosPerDelivery, deliveriesPerSecond, cpuShare }
}

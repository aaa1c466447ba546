// idle: what a connection costs that nothing is sent on.

import { Session } from '../harness/session.ts'
import type { PeerName } from '../peers/index.ts'
import type { Metrics } from '../result.ts'
import { type Case, interleaved, type Scenario } from './scenario.ts'

/** Connected before the first look: what a server needs once, not per connection, is there by then. */
const FIRST = 500

export const idle: Scenario = {
  name: 'idle',
  summary: 'memory per idle connection; CPU of heartbeats',
  method:
    'Memory: heap used and external memory of the server process after two collections, with all connections less that with the first 500, by the connections between; rssPerConnection likewise by the resident set, the only figure of a server that is not Node (nchan). "bare" is node:http that answers with headers and a first block and keeps nothing. Heartbeats: the share of a core that the server process uses while nothing is published, over a whole heartbeat interval of 20 s, with defaults.',
  options: {
    connections: { value: 'N,…', default: '5000', help: 'connections whose memory is looked at' },
    peers: {
      value: 'NAME,…',
      default: 'bare,sluice,write-string,better-sse,express-sse,fastify-sse,hono,nchan,net',
      help: 'who is measured',
    },
    'heartbeat-peers': { value: 'NAME,…', default: 'sluice', help: 'whose heartbeats are looked at' },
    'heartbeat-connections': { value: 'N', default: '10000', help: 'connections that get heartbeats' },
    'heartbeat-seconds': { value: 'N', default: '40', help: 'how long' },
    rounds: { value: 'N', default: '3', help: 'how often each' },
  },
  async run(options) {
    const notes: string[] = []
    const peers = options.peers(notes)
    const beating = options.number('heartbeat-connections')
    const seconds = options.number('heartbeat-seconds')
    const memory: Case[] = options.numbers('connections').flatMap((connections) =>
      peers.map((peer) => ({
        peer,
        params: { connections },
        measure: () => measureMemory(peer, connections),
      })),
    )
    const heartbeats: Case[] = options.list('heartbeat-peers').map((peer) => ({
      peer,
      params: { connections: beating, seconds },
      measure: () => measureHeartbeats(peer as PeerName, beating, seconds),
    }))
    const rounds = options.number('rounds')
    return {
      runs: [
        ...(await interleaved('idle', rounds, memory)),
        ...(await interleaved('idle, heartbeats', 1, heartbeats)),
      ],
      notes,
    }
  },
}

export async function measureMemory(peer: PeerName, connections: number): Promise<Metrics> {
  return await Session.run(peer, connections + FIRST, async (session) => {
    await session.connect(FIRST)
    await settle(500)
    const before = await session.server.call('memory', undefined)
    await session.connect(connections)
    await settle(500)
    const after = await session.server.call('memory', undefined)
    return {
      bytesPerConnection: (after.bytes - before.bytes) / connections,
      rssPerConnection: (after.rss - before.rss) / connections,
    }
  })
}

export async function measureHeartbeats(
  peer: PeerName,
  connections: number,
  seconds: number,
): Promise<Metrics> {
  return await Session.run(peer, connections, async (session) => {
    await session.connect(connections)
    await settle(4_000)
    const cpu = await session.server.call('cpu', undefined)
    const start = performance.now()
    await settle(seconds * 1_000)
    const used = (await session.server.call('cpu', undefined)) - cpu
    return { cpuShare: used / 1_000 / (performance.now() - start) }
  })
}

function settle(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

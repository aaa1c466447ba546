// What the hub says of itself, once a second and only when it changed: its counters, and its diagnosis.

import type { Channel, Finding, Hub, Stats } from '../../../src/index.ts'

const PERIOD = 1_000

export interface Health {
  stats: Pick<
    Stats,
    | 'connections'
    | 'opened'
    | 'published'
    | 'delivered'
    | 'bytes'
    | 'logBytes'
    | 'gaps'
    | 'stalls'
    | 'overloaded'
  > & { refused: number; slowest: number }
  findings: Finding[]
}

/** Publishes to `channel` until it is stopped. */
export function startHealth(hub: Hub, channel: Channel): () => void {
  let told = ''
  function tell(): void {
    const { connections, opened, published, delivered, bytes, logBytes, gaps, stalls, overloaded, refused } =
      hub.stats()
    const sum = Object.values(refused).reduce((all, one) => all + one, 0)
    const slowest = hub.connections().reduce((most, { lag }) => Math.max(most, lag.events), 0)
    const data: Health = {
      stats: {
        connections,
        opened,
        published,
        delivered,
        bytes,
        logBytes,
        gaps,
        stalls,
        overloaded,
        refused: sum,
        slowest,
      },
      findings: hub.diagnose(),
    }
    const text = JSON.stringify(data)
    if (text === told) return
    told = text
    channel.publish({ event: 'health', data })
  }
  tell()
  const timer = setInterval(tell, PERIOD)
  return () => clearInterval(timer)
}

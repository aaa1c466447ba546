// Tells the page why connections closed: counts by reason, twice a second at the most, and only when they changed.
// A thousand closes in one turn are one event.

import type { Channel, CloseReason, Hub } from '../../../src/index.ts'

const PERIOD = 500

export interface Closes {
  counts: Record<CloseReason, number>
  /** The last to close, by reason: how long it had lived and been silent, in milliseconds. */
  last: Partial<Record<CloseReason, { age: number; silence: number; at: number }>>
}

/** Publishes to `channel` until it is stopped. */
export function startCloses(hub: Hub, channel: Channel): () => void {
  const last: Closes['last'] = {}
  let changed = true // the first to be told are the zeros

  const stopListening = hub.on('close', (_connection, { reason, age, silence }) => {
    last[reason] = { age: Math.round(age), silence: Math.round(silence), at: Date.now() }
    changed = true
  })

  function tell(): void {
    if (!changed) return
    changed = false
    const data: Closes = { counts: hub.stats().closes, last }
    channel.publish({ event: 'closes', data })
  }

  tell()
  const timer = setInterval(tell, PERIOD)
  return () => {
    clearInterval(timer)
    stopListening()
  }
}

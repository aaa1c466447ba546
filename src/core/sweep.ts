// One timer for the whole hub: heartbeats for the silent, an end for the stalled and the old, and for frames and
// channels past their time. It runs only while there is something to look at.

import type { Clock } from './clock.ts'
import type { Connection } from './connection.ts'
import type { FanOut } from './fan-out.ts'

export interface SweepHost {
  readonly clock: Clock
  readonly fanOut: FanOut
  readonly heartbeatAfter: number
  readonly live: ReadonlySet<Connection>
  /** Frames and channels past their time go; says whether any channel is left. */
  expire(now: number): boolean
  stalled(connection: Connection): void
}

/** A tenth of the shortest time it watches, so that nothing is late by more than that; a second at the most. */
export function sweepPeriod(heartbeat: number, stallTimeout: number): number {
  return Math.max(5, Math.min(1_000, heartbeat / 10, stallTimeout / 10))
}

export class Sweep {
  readonly #host: SweepHost
  readonly #period: number
  /** Sweeps that may find the same write on its way. The first finds one that may be brand-new, hence one more. */
  readonly #patience: number
  #stop: (() => void) | undefined

  constructor(host: SweepHost, period: number, stallTimeout: number) {
    this.#host = host
    this.#period = period
    this.#patience = Math.ceil(stallTimeout / period) + 1
  }

  /** There is something to look at from now on. */
  start(): void {
    this.#stop ??= this.#host.clock.every(this.#period, this.#sweep)
  }

  stop(): void {
    this.#stop?.()
    this.#stop = undefined
  }

  readonly #sweep = (): void => {
    const host = this.#host
    const now = host.clock.now()
    for (const connection of host.live) {
      const blocked = connection.sweep()
      if (blocked > this.#patience) connection.destroy('stalled')
      else if (blocked === 2) host.stalled(connection)
      if (now >= connection.expiresAt) connection.leave('rotated')
      else if (connection.silentSince(now) >= host.heartbeatAfter) host.fanOut.wake(connection)
    }
    const channels = host.expire(now)
    if (!channels && host.live.size === 0) this.stop()
  }
}

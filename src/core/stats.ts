// What the hub counts. Counters only ever grow; the snapshot is a plain object that belongs to its caller.

import type { RefusalReason } from './admission.ts'
import { type CloseReason, countsByReason } from './close.ts'
import type { BusStats } from './feed.ts'
import type { Lifetime } from './lifetimes.ts'

/** A snapshot of a hub. Counters count from its making. */
export interface Stats {
  /** Open connections, those that are ending included. */
  connections: number
  /** Connections per channel that has any. */
  channels: Record<string, number>
  /** Connections ever opened. */
  opened: number
  /** Events taken by logs. */
  published: number
  /** Events written to connections, private ones included. */
  delivered: number
  /** Bytes of event stream written to connections. */
  bytes: number
  /** Bytes held by the logs now. */
  logBytes: number
  /** Gaps told to clients. */
  gaps: number
  /** Times that a connection was found with a write not taken since the sweep before. */
  stalls: number
  closes: Record<CloseReason, number>
  /** Requests that `limits` refused, by reason. */
  refused: Record<RefusalReason, number>
  /** Whether new connections are refused now for the event loop's delay (`limits.loopDelay`). */
  overloaded: boolean
  /** How the hub stands to its bus; `undefined` without one. */
  bus: BusStats | undefined
  /** How the connections lived that are over, by close reason: their number, and quantiles of age and silence in milliseconds, within 2 %. */
  lifetimes: Record<CloseReason, Lifetime>
}

export class Counters {
  opened = 0
  published = 0
  delivered = 0
  bytes = 0
  gaps = 0
  stalls = 0
  readonly #closes = countsByReason()

  closed(reason: CloseReason): void {
    this.#closes[reason] += 1
  }

  snapshot(
    now: Pick<
      Stats,
      'connections' | 'channels' | 'logBytes' | 'refused' | 'overloaded' | 'bus' | 'lifetimes'
    >,
  ): Stats {
    return {
      ...now,
      opened: this.opened,
      published: this.published,
      delivered: this.delivered,
      bytes: this.bytes,
      gaps: this.gaps,
      stalls: this.stalls,
      closes: { ...this.#closes },
    }
  }
}

// What the hub counts. Counters only ever grow; the snapshot is a plain object that belongs to its caller.

import { type Closed, type CloseReason, countsByReason } from './close.ts'

/** Upper bounds, in milliseconds, of the classes into which lifetimes fall; the last class has none. */
export const LIFETIME_BOUNDS: readonly number[] = Object.freeze([
  1_000, 5_000, 15_000, 30_000, 60_000, 120_000, 300_000, 900_000, 3_600_000,
])

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
  /** How long the connections lived that are over: `counts[i]` of at most `bounds[i]` milliseconds and more than the bound before; the last count has no bound. */
  lifetimes: { bounds: number[]; counts: number[] }
}

export class Counters {
  opened = 0
  published = 0
  delivered = 0
  bytes = 0
  gaps = 0
  stalls = 0
  readonly #closes = countsByReason()
  readonly #lifetimes = new Array<number>(LIFETIME_BOUNDS.length + 1).fill(0)

  closed({ reason, age }: Closed): void {
    this.#closes[reason] += 1
    const index = LIFETIME_BOUNDS.findIndex((bound) => age <= bound)
    const place = index === -1 ? LIFETIME_BOUNDS.length : index
    this.#lifetimes[place] = (this.#lifetimes[place] ?? 0) + 1
  }

  snapshot(now: Pick<Stats, 'connections' | 'channels' | 'logBytes'>): Stats {
    return {
      ...now,
      opened: this.opened,
      published: this.published,
      delivered: this.delivered,
      bytes: this.bytes,
      gaps: this.gaps,
      stalls: this.stalls,
      closes: { ...this.#closes },
      lifetimes: { bounds: [...LIFETIME_BOUNDS], counts: [...this.#lifetimes] },
    }
  }
}

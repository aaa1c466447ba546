// How long to wait before the next attempt: exponential backoff with full jitter, so that the clients of a server that
// died come back spread over the window, not in waves.

import type { SluiceError } from '../core/errors.ts'

/** What `onRetry` is told. */
export interface Retry {
  /** Failures in a row, this one included: 1 for the first. */
  readonly attempt: number
  /** Milliseconds until the next attempt. */
  readonly delay: number
  /** Why; its `code` is one of SLUICE_NETWORK, SLUICE_STREAM_ENDED, SLUICE_SILENT, SLUICE_CONNECT_TIMEOUT, SLUICE_REFUSED. */
  readonly cause: SluiceError
}

/** The longest span that setTimeout takes; what is longer fires at once. */
export const LONGEST_TIMER = 2_147_483_647

/**
 * The least that the window grows from after a second failure, whatever a server asked for: `retry: 0` and a stream
 * that ends at once would otherwise be a loop without a pause.
 */
const LEAST_BASE = 100

export class Backoff {
  /** Failures since the stream was last healthy. */
  failures = 0
  /** The first window, in milliseconds: the server's reconnection time, once it has told one. */
  base: number
  readonly #ownBase: number
  readonly #cap: number
  readonly #random: () => number

  constructor({ base, cap }: { base: number; cap: number }, random: () => number) {
    this.base = base
    this.#ownBase = base
    this.#cap = cap
    this.#random = random
  }

  /**
   * Counts one more failure.
   *
   * @param floor a moment that the server has named (Retry-After, a farewell): the wait is that long, and the jitter
   *   comes on top, for it may have named the same to everybody
   * @returns milliseconds to wait
   */
  next(floor: number | undefined): number {
    this.failures += 1
    const window = floor === undefined ? this.#window(this.base) : this.#window(this.#ownBase)
    return Math.min(LONGEST_TIMER, Math.round((floor ?? 0) + this.#random() * window))
  }

  #window(base: number): number {
    if (this.failures === 1) return base
    // A server that asks for more than the cap gets it.
    return Math.min(Math.max(this.#cap, base), Math.max(base, LEAST_BASE) * 2 ** (this.failures - 1))
  }
}

// One span of time that something must not exceed: an answer, or the silence between two reads.

import type { Clock } from '../core/clock.ts'
import { LONGEST_TIMER } from './backoff.ts'

/**
 * An event loop that was held up comes late to its timers and to its sockets, to the timers first: what was waited for
 * may lie in the kernel. A timer this late, in milliseconds, gives it as long to be read.
 */
const LATE = 1_000

export class Deadline {
  readonly #clock: Clock
  readonly #ms: number
  readonly #onExpired: () => void
  #cancel: (() => void) | undefined

  /** @param ms `Infinity` or 0 for never */
  constructor(clock: Clock, ms: number, onExpired: () => void) {
    this.#clock = clock
    this.#ms = ms === 0 ? Infinity : ms
    this.#onExpired = onExpired
  }

  start(): void {
    if (this.#ms === Infinity) return
    const ms = Math.min(this.#ms, LONGEST_TIMER)
    const due = this.#clock.now() + ms
    this.#cancel = this.#clock.after(ms, () => {
      if (this.#clock.now() < due + LATE) this.#onExpired()
      else this.#cancel = this.#clock.after(LATE, this.#onExpired)
    })
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }
}

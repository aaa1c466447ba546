// Stops asking what does not answer: after several failures in a row it refuses at once for a while, then lets one through
// to see, and waits twice as long each time that fails.

import type { Clock } from './clock.ts'

const FAILURES = 5
const FIRST_PAUSE = 1_000
const LONGEST_PAUSE = 30_000

export class Breaker {
  readonly #clock: Clock
  #failures = 0
  #pause = FIRST_PAUSE
  #opensAgainAt = 0
  #trying = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get open(): boolean {
    return this.#failures >= FAILURES
  }

  /** Whether a call may go out now. Who is let through says how it went. */
  pass(): boolean {
    if (!this.open) return true
    if (this.#trying || this.#clock.now() < this.#opensAgainAt) return false
    this.#trying = true
    return true
  }

  succeeded(): void {
    this.#failures = 0
    this.#pause = FIRST_PAUSE
    this.#trying = false
  }

  failed(): void {
    this.#failures += 1
    if (!this.open) return
    // Calls that were under way when it opened fail as well, and say nothing new.
    if (this.#failures > FAILURES && !this.#trying) return
    this.#trying = false
    this.#opensAgainAt = this.#clock.now() + this.#pause
    this.#pause = Math.min(LONGEST_PAUSE, this.#pause * 2)
  }
}

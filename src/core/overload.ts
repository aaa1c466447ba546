// Whether the event loop keeps up: how late a timer comes, a few times a second, while there is anybody to serve. One late
// moment (a collection, a large JSON) is none; a second of them is.

import type { Clock } from './clock.ts'

/** How often it looks. */
const PERIOD = 100
/** How long the delay must stay above the threshold, or below it again. */
const SUSTAIN = 1_000

export class Overload {
  readonly #clock: Clock
  readonly #threshold: number
  /** Whether anybody is there to be served. */
  readonly #busy: () => boolean
  readonly #onChange: (overloaded: boolean) => void
  #stop: (() => void) | undefined
  #at = 0
  /** Since when every look has said the same, and what. */
  #since = 0
  #late = false
  #overloaded = false

  constructor(clock: Clock, threshold: number, busy: () => boolean, onChange: (overloaded: boolean) => void) {
    this.#clock = clock
    this.#threshold = threshold
    this.#busy = busy
    this.#onChange = onChange
  }

  get overloaded(): boolean {
    return this.#overloaded
  }

  /** There is somebody to serve, or at the door. */
  start(): void {
    if (this.#threshold === Infinity || this.#stop) return
    this.#at = this.#clock.now()
    this.#since = this.#at
    this.#late = false
    this.#stop = this.#clock.every(PERIOD, this.#look)
  }

  stop(): void {
    this.#stop?.()
    this.#stop = undefined
  }

  readonly #look = (): void => {
    const now = this.#clock.now()
    const late = now - this.#at - PERIOD > this.#threshold
    this.#at = now
    if (late !== this.#late) {
      this.#late = late
      this.#since = now
    } else if (late !== this.#overloaded && now - this.#since >= SUSTAIN) {
      this.#overloaded = late
      this.#onChange(late)
    }
    // An idle hub keeps no timer, unless it has still to see itself recover.
    if (!this.#overloaded && !this.#busy()) this.stop()
  }
}

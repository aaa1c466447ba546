// So many a second, and a burst after a quiet time. No timer: what has flowed in is reckoned when somebody asks.

export class TokenBucket {
  readonly #perSecond: number
  readonly #burst: number
  #tokens: number
  #at: number

  constructor(perSecond: number, burst: number, now: number) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#tokens = burst
    this.#at = now
  }

  /** Takes one. Returns 0, or, having taken none, the milliseconds until there is one. */
  take(now: number): number {
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#at) / 1_000) * this.#perSecond)
    this.#at = now
    // What is short of one by less than a rounding of the clock is one.
    if (this.#tokens >= 1 - 1e-9) {
      this.#tokens -= 1
      return 0
    }
    return ((1 - this.#tokens) / this.#perSecond) * 1_000
  }
}

// A clock that tests turn by hand: time, turns of the event loop and timers move only when told.

import type { Clock } from '../../src/core/clock.ts'

export class FakeClock implements Clock {
  time = 0
  #soon: (() => void)[] = []
  #timers = new Set<{ at: number; every: number | undefined; callback: () => void }>()

  now = (): number => this.time

  soon = (callback: () => void): void => {
    this.#soon.push(callback)
  }

  every = (ms: number, callback: () => void): (() => void) => this.#add(ms, ms, callback)

  after = (ms: number, callback: () => void): (() => void) => this.#add(ms, undefined, callback)

  /** Timers that are set. */
  get timers(): number {
    return this.#timers.size
  }

  /** Whether somebody waits for the next turn. */
  get pending(): number {
    return this.#soon.length
  }

  /** One turn of the event loop. */
  turn(): void {
    for (const callback of this.#soon.splice(0)) callback()
  }

  /** Turns until nothing is left to do; a bound, so that a loop that feeds itself fails instead of hanging. */
  settle(most = 100_000): void {
    for (let turns = 0; this.#soon.length > 0; turns += 1) {
      if (turns === most) throw new Error(`still not settled after ${most} turns`)
      this.turn()
    }
  }

  /** Moves time on, with every timer at its moment and a settled loop after each. */
  advance(ms: number): void {
    const end = this.time + ms
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a.at - b.at)[0]
      if (!next || next.at > end) break
      this.time = next.at
      if (next.every === undefined) this.#timers.delete(next)
      else next.at += next.every
      next.callback()
      this.settle()
    }
    this.time = end
  }

  /** An event loop that was held up: time passes, and each timer comes once, late. */
  jump(ms: number): void {
    this.time += ms
    for (const timer of [...this.#timers]) {
      if (timer.at > this.time) continue
      if (timer.every === undefined) this.#timers.delete(timer)
      else timer.at = this.time + timer.every
      timer.callback()
    }
    this.settle()
  }

  #add(ms: number, every: number | undefined, callback: () => void): () => void {
    const timer = { at: this.time + ms, every, callback }
    this.#timers.add(timer)
    return () => {
      this.#timers.delete(timer)
    }
  }
}

// What a scenario is, and what it reports. A scenario is one file in scenarios/ whose default export is a Scenario: it
// breaks something from outside, over real sockets, and holds what clients and server say afterwards against a promise.

import { seeded } from '../support/seeded.ts'

/** The promises that the scenarios attack, as docs/reliability.md states them. */
export const PROMISES = {
  order:
    'A client sees the events in their order, none twice, and none missing that a gap event did not name.',
  whole: 'No client ever dispatches a part of an event, nor one that differs from what was published.',
  once: 'Every connection ends exactly once, with one reason, and leaves no timer, listener, handle or memory behind.',
  alone: 'What one client does, or one callback of the application, changes nothing for the other clients.',
  bounded:
    'A reader that does not read costs no more than `maxBufferedBytes` and one event, however far it lags.',
  found:
    'A reader that has stopped is found within `stallTimeout`, a silent peer that has vanished within `heartbeat`.',
  patient:
    'A client that reads is never taken for stalled or dead: not while the server is held up, nor when clocks jump.',
  untrusted: 'Nothing that a client sends makes the server fail, or gives the client what it is not due.',
} as const

export type PromiseName = keyof typeof PROMISES

export interface Scenario {
  /** Words with hyphens; the name of its file. */
  readonly name: string
  readonly promises: readonly PromiseName[]
  /** What it does, in one sentence, for the page and for whoever runs it. */
  readonly attacks: string
  /** Seconds after which it has failed, at the default size. */
  readonly limit: number
  /** Why it cannot run on this machine; `undefined` when it can. Asked before `run`. */
  readonly missing?: () => string | undefined
  run(seed: number, report: Report): Promise<void>
}

/** What is counted in every scenario. */
export interface Figures {
  /** Cases tried: connections, requests, rounds, whatever the scenario repeats. */
  cases: number
  /** Faults injected: kills, resets, stalls, throws. */
  faults: number
  /** Events published or sent. */
  sent: number
  /** Events that clients received. */
  received: number
  /** Events that a client missed and a gap event named. */
  told: number
  /** Events that a client missed and nothing named. */
  lost: number
  /** Events that a client got more than once. */
  doubled: number
}

/** A promise was broken. */
export class Broken extends Error {}

export class Report {
  readonly figures: Figures = { cases: 0, faults: 0, sent: 0, received: 0, told: 0, lost: 0, doubled: 0 }
  /** Figures of this scenario alone, by what they are called. */
  readonly notes: Record<string, number> = {}
  /** What could not be done on this machine, and why. */
  readonly without: string[] = []
  /** Promises found broken; the first few are worth reading. */
  readonly broken: string[] = []
  /** Bytes of heap that may remain after the scenario. */
  heapAllowance = 8_000_000
  /** Whether every count is ten times the default's. */
  readonly long: boolean
  /** Random numbers from the seed. */
  readonly random: () => number
  readonly #cleanups: (() => unknown)[] = []

  constructor(seed: number, long: boolean) {
    this.long = long
    this.random = seeded(seed)
  }

  /** How many of something: `count` by default, ten times as many with --long. */
  scale(count: number): number {
    return this.long ? count * 10 : count
  }

  /** A whole number in [low, high], from the seed. */
  between(low: number, high: number): number {
    return low + Math.floor(this.random() * (high - low + 1))
  }

  chance(share: number): boolean {
    return this.random() < share
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.random() * items.length)] as T // within bounds, for no list is empty
  }

  /** Says that a promise is broken, and goes on: one failure should not hide what else is. */
  fail(what: string): void {
    if (this.broken.length < 100) this.broken.push(what)
  }

  check(holds: boolean, what: string | (() => string)): void {
    if (!holds) this.fail(typeof what === 'string' ? what : what())
  }

  note(what: string, value: number): void {
    this.notes[what] = Math.round(value * 10) / 10
  }

  /** Runs when the scenario is over, whatever became of it; the last first. */
  after(cleanup: () => unknown): void {
    this.#cleanups.push(cleanup)
  }

  async cleanUp(): Promise<void> {
    for (let cleanup = this.#cleanups.pop(); cleanup; cleanup = this.#cleanups.pop()) await cleanup()
  }
}

/** What a scenario's process tells the runner. */
export interface Outcome {
  readonly name: string
  readonly promises: readonly PromiseName[]
  readonly attacks: string
  readonly seed: number
  readonly seconds: number
  readonly figures: Figures
  readonly notes: Record<string, number>
  readonly broken: readonly string[]
  /** What it could not do here. */
  readonly without: readonly string[]
  /** Why it did not run. */
  readonly skipped?: string
}

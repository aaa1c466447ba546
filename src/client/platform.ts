// What a stream asks of the platform besides fetch, in one place for tests to stand in.

import { type Clock, systemClock } from '../core/clock.ts'

/** What tests put in the platform's place. */
export interface Platform {
  readonly clock: Clock
  /** Random numbers in [0, 1). */
  random(): number
  /** The wall clock, in milliseconds of UNIX time. */
  today(): number
}

export const PLATFORM: Platform = Object.freeze({ clock: systemClock, random: Math.random, today: Date.now })

// Who is to be written to, and when: everything published in one turn of the event loop leaves in one write per
// connection, in slices between which the loop breathes. It decides order and moment; connections do the reading.

import type { ChannelState } from './channel.ts'
import type { Clock } from './clock.ts'
import type { Connection } from './connection.ts'
import { Deque } from './deque.ts'

/** Connections served before the event loop gets its turn: with a write of some 10 µs each, little more than 1 ms. */
const SLICE = 128

export class FanOut {
  readonly #clock: Clock
  readonly #random: () => number
  /** Called when nothing is left to do. */
  readonly #rested: () => void
  /** Channels with news. */
  readonly #dirty = new Deque<ChannelState>()
  /** Connections with something of their own to do: private sends, a replay to go on with, a heartbeat, a farewell. */
  readonly #due = new Deque<Connection>()
  #walk: { channel: ChannelState; start: number; visited: number; places: number } | undefined
  #scheduled = false

  constructor(clock: Clock, random: () => number, rested: () => void) {
    this.#clock = clock
    this.#random = random
    this.#rested = rested
  }

  /** The channel has news for its readers. */
  touch(channel: ChannelState): void {
    if (channel.dirty) return
    channel.dirty = true
    this.#dirty.push(channel)
    this.#schedule()
  }

  /** The connection has something to do. */
  wake(connection: Connection): void {
    if (connection.due) return
    connection.due = true
    this.#due.push(connection)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#clock.soon(this.#run)
  }

  readonly #run = (): void => {
    this.#scheduled = false
    const now = this.#clock.now()
    // Only those that are due now: who becomes due meanwhile waits for the next turn. Half of a slice at the most,
    // so that replays and news cannot starve each other.
    let budget = SLICE
    const due = Math.min(this.#due.length, this.#walk || this.#dirty.length > 0 ? SLICE / 2 : SLICE)
    for (let served = 0; served < due; served += 1) this.#due.shift()?.pull(now)
    budget -= due
    while (budget > 0 && this.#nextWalk()) budget = this.#continueWalk(budget, now)
    if (this.#walk || this.#dirty.length > 0 || this.#due.length > 0) this.#schedule()
    else this.#rested()
  }

  #nextWalk(): boolean {
    if (this.#walk) return true
    const channel = this.#dirty.shift()
    if (!channel) return false
    const places = channel.beginWalk()
    // Another first reader each time, or the same ones would always be the last to know.
    this.#walk = { channel, places, start: Math.floor(this.#random() * places), visited: 0 }
    return true
  }

  #continueWalk(budget: number, now: number): number {
    const walk = this.#walk
    if (!walk) return budget
    const { channel, start, places } = walk
    let left = budget
    while (walk.visited < places && left > 0) {
      const place = start + walk.visited
      channel.readers.at(place < places ? place : place - places)?.connection.pull(now)
      walk.visited += 1
      left -= 1
    }
    if (walk.visited === places) {
      channel.endWalk()
      this.#walk = undefined
    }
    // A walk without readers must still cost something, or a thousand empty channels would be one slice.
    return left - 1
  }
}

// Who reads a channel: a list that can be walked in slices while readers come and go.

import type { ChannelState } from './channel.ts'
import type { Connection } from './connection.ts'

/** One connection's interest in one channel. */
export class Subscription {
  readonly connection: Connection
  readonly channel: ChannelState
  /**
   * Frames of this channel up to here are settled for this connection: they came before it subscribed, or it was
   * told that they are lost. Not a second cursor: it does not move while events flow.
   */
  since: number
  /** Its place in the channel's list. */
  place = -1

  constructor(connection: Connection, channel: ChannelState, since: number) {
    this.connection = connection
    this.channel = channel
    this.since = since
  }
}

/**
 * A reader that leaves during a walk leaves a hole, and one that comes goes to the end, so that a walk in slices
 * skips nobody. Holes are closed between walks.
 */
export class Readers {
  readonly #list: (Subscription | undefined)[] = []
  #holes = 0
  #walking = false

  get size(): number {
    return this.#list.length - this.#holes
  }

  add(subscription: Subscription): void {
    subscription.place = this.#list.length
    this.#list.push(subscription)
  }

  remove(subscription: Subscription): void {
    this.#list[subscription.place] = undefined
    this.#holes += 1
    if (!this.#walking) this.#closeHoles()
  }

  /** Starts a walk over the places `0 … n-1` and returns `n`. */
  beginWalk(): number {
    this.#walking = true
    return this.#list.length
  }

  at(place: number): Subscription | undefined {
    return this.#list[place]
  }

  endWalk(): void {
    this.#walking = false
    this.#closeHoles()
  }

  /** Only once half of the list is holes, so that a thousand departures cost one pass, not a thousand. */
  #closeHoles(): void {
    if (this.#holes * 2 <= this.#list.length) return
    let place = 0
    for (const subscription of this.#list) {
      if (!subscription) continue
      subscription.place = place
      this.#list[place] = subscription
      place += 1
    }
    this.#list.length = place
    this.#holes = 0
  }
}

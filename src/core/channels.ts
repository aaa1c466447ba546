// The registry of channels by name: made when first needed, dropped when nobody reads them and they hold nothing.

import { type ChannelOptions, ChannelState } from './channel.ts'

/** Channels that nobody reads and that hold nothing are remembered, for what they have lost, up to this many: clients may name channels. */
const MAX_IDLE = 10_000

export class Channels {
  readonly #byName = new Map<string, ChannelState>()
  /** Found unread and empty, the longest idle first. One that has come back to life since is passed over. */
  readonly #idle = new Set<ChannelState>()
  readonly #defaults: Readonly<Required<ChannelOptions>>
  /** What the channels dropped so far had lost at the most: one made anew under an old name may have lost that. */
  #forgotten = 0

  constructor(defaults: Readonly<Required<ChannelOptions>>) {
    this.#defaults = defaults
  }

  get size(): number {
    return this.#byName.size
  }

  [Symbol.iterator](): IterableIterator<ChannelState> {
    return this.#byName.values()
  }

  find(name: string): ChannelState | undefined {
    return this.#byName.get(name)
  }

  /** The channel of that name, made when there is none. */
  get(name: string, now: number): ChannelState {
    let channel = this.#byName.get(name)
    if (!channel) {
      channel = new ChannelState(name, this.#defaults, this.#forgotten)
      this.#byName.set(name, channel)
      this.rest(channel, now)
    }
    return channel
  }

  /** The channel may have nothing and nobody any more. */
  rest(channel: ChannelState, now: number): void {
    if (channel.readers.size > 0 || channel.log.count > 0) return
    channel.idleSince = now
    this.#idle.delete(channel)
    this.#idle.add(channel)
    if (this.#idle.size > MAX_IDLE) {
      const [longest] = this.#idle
      if (longest) this.#drop(longest)
    }
  }

  /** Frames and channels past their time go. */
  expire(now: number): void {
    for (const channel of this.#byName.values()) {
      if (channel.log.count === 0) continue
      channel.log.expire(now)
      this.rest(channel, now)
    }
    for (const channel of this.#idle) {
      // As long as its events would have been kept, a client that comes back is answered exactly.
      const linger = channel.endedAt > 0 ? 0 : channel.options.maxAge
      if (now - channel.idleSince >= linger) this.#drop(channel)
    }
  }

  /** Something was published, up to `position`, to channels that are not here: one made under such a name may have lost it. */
  missed(position: number): void {
    this.#forgotten = position
  }

  /** Positions start anew at `head`. */
  restart(head: number): void {
    this.#forgotten = head
    for (const channel of this.#byName.values()) {
      channel.log.restart(head)
      channel.endedAt = 0
    }
  }

  clear(): void {
    this.#byName.clear()
    this.#idle.clear()
  }

  #drop(channel: ChannelState): void {
    this.#idle.delete(channel)
    if (channel.readers.size > 0 || channel.log.count > 0) return
    this.#byName.delete(channel.name)
    this.#forgotten = Math.max(this.#forgotten, channel.log.lostThrough)
  }
}

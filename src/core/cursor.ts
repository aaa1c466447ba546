// A connection's place in the hub's one sequence: everything up to `position`, in all its channels, has been written
// (or told as lost). Reading moves it. It knows logs and subscriptions; it does not know how bytes leave.

import type { Batch, Batcher } from './batch.ts'
import { LARGE } from './bytes.ts'
import type { ChannelState } from './channel.ts'
import type { Lag } from './connection-info.ts'
import type { Frame, PublishedEvent } from './frame.ts'
import { evictedGap } from './gap.ts'
import type { Letter, Outbox } from './outbox.ts'
import type { Subscription } from './readers.ts'
import type { AnyChannels, TypedPublished } from './typed.ts'
import type { Variant } from './variants.ts'

/** How many frames one read looks at: a filter that passes none must not hold the event loop. */
const MAX_EXAMINED = 2048
/**
 * How much of the log is copied behind what only this connection gets (a letter, a gap): enough to spare a write when a
 * little follows. The rest is left to the next write, whose bytes all readers at that place share.
 */
const PRIVATE_COPY = 4_096

/** What a cursor needs of its hub to read. */
export interface CursorHost {
  readonly epoch: string
  /** The sequence of the newest frame of all channels. */
  readonly head: number
  readonly maxWriteBytes: number
  readonly batcher: Batcher
  /** A gap is being told. */
  gapTold(): void
  report(error: unknown, context: { during: 'filter'; channel: string }): void
}

/** A cursor fell off the log of a channel whose overflow is `disconnect`. */
export const OVERFLOW = Symbol('overflow')

/** Decides, per connection, whether it gets an event. Must return `true` for yes; called once per connection and event. */
export type Filter<Channels extends object = AnyChannels> = (event: TypedPublished<Channels>) => boolean

export class Cursor {
  position: number
  subscriptions: readonly Subscription[] = []
  readonly filter: Filter | undefined
  readonly variant: Variant | undefined
  /** It waits for its place to be read back from the bus, and does not move. */
  held = false
  /** The frame that the filter let pass and the write had no room for: it is asked once per event. */
  #admitted = 0
  /**
   * The frame that a gap led to, when the write of the gap had no room for it. It goes next even if the log has lost it by
   * then: a log that loses a frame per write would otherwise give a lagging reader gaps and nothing else, for ever.
   */
  #owed: { readonly channel: ChannelState; readonly sequence: number; readonly bytes: Uint8Array } | undefined

  constructor(position: number, filter: Filter | undefined, variant: Variant | undefined) {
    this.position = position
    this.filter = filter
    this.variant = variant
  }

  /** Positions start anew at `head`: what was said of old ones means others now. */
  restart(head: number): void {
    this.#admitted = 0
    this.#owed = undefined
    if (!this.held) this.position = head
  }

  /** Whether any channel holds something that this cursor has not passed. */
  get behind(): boolean {
    for (const subscription of this.subscriptions) {
      if (subscription.channel.log.newest > this.#floor(subscription)) return true
    }
    return false
  }

  /** What lies in the logs of its channels and was not written yet, before any filter. */
  lag(): Lag {
    let events = 0
    let bytes = 0
    for (const subscription of this.subscriptions) {
      const { log } = subscription.channel
      for (let index = log.indexAfter(this.#floor(subscription)); index < log.end; index += 1) {
        const frame = log.at(index)
        if (!frame) continue
        events += 1
        bytes += frame.bytes.length
      }
    }
    return { events, bytes }
  }

  /**
   * Takes what the next write should carry and moves on. `outbox` is drained in the order of the calls.
   * Returns OVERFLOW, without having moved, when a channel asks to disconnect who falls off its log.
   *
   * @param through no frame after this position, for a connection that is leaving; it is not disconnected any more
   */
  read(host: CursorHost, outbox: Outbox | undefined, through: number): Batch | typeof OVERFLOW {
    if (this.#owed) {
      const batch = this.#payOwed(host, outbox)
      if (batch) return batch
    }
    let newsy: Subscription | undefined
    let several = false
    for (const subscription of this.subscriptions) {
      if (subscription.channel.log.newest <= this.#floor(subscription)) continue
      several = newsy !== undefined
      newsy = subscription
    }
    // The common case, and the hot path: one channel has news, its bytes go out as they are, shared by all readers.
    if (newsy && !several && !outbox && !this.filter && !this.variant) {
      const floor = this.#floor(newsy)
      const { log } = newsy.channel
      if (log.lostThrough <= floor && log.newest <= through) {
        const batch = host.batcher.read(log, floor, host.maxWriteBytes)
        this.position = batch.whole ? host.head : batch.through
        return batch
      }
    }
    return this.#merge(host, outbox, through)
  }

  /** The frame that is owed, if the log has lost it; `undefined` when it is read from there, or is wanted no more. */
  #payOwed(host: CursorHost, outbox: Outbox | undefined): Batch | undefined {
    const owed = this.#owed
    this.#owed = undefined
    const subscription = this.subscriptions.find(({ channel }) => channel === owed?.channel)
    if (!owed || !subscription || owed.sequence <= this.#floor(subscription)) return undefined
    if (owed.channel.log.lostThrough < owed.sequence) return undefined
    const draft = new Draft(host, PRIVATE_COPY)
    let room = true
    while (room && outbox?.next && outbox.next.after < owed.sequence) room = draft.takeLetter(outbox)
    if (room && draft.takeFrame(owed.bytes)) this.position = owed.sequence
    else this.#owed = owed
    return draft.finish(this.position, false)
  }

  /** Frames of this subscription up to here need not be looked at. */
  #floor(subscription: Subscription): number {
    return Math.max(subscription.since, this.position)
  }

  /** The general case: several channels in the order of positions, private sends between them, gaps in front. */
  #merge(host: CursorHost, outbox: Outbox | undefined, through: number): Batch | typeof OVERFLOW {
    const lost = this.subscriptions.filter((one) => one.channel.log.lostThrough > this.#floor(one))
    if (through === Infinity && lost.some(({ channel }) => channel.options.overflow === 'disconnect')) {
      return OVERFLOW
    }

    // With a filter or a variant every write is put together for this connection anyway.
    const draft = new Draft(host, this.filter || this.variant ? host.maxWriteBytes : PRIVATE_COPY)
    // What was sent before anything of the channels is still to come goes before a gap, too: the opening block is
    // such a letter, and must be the first of the stream.
    while (outbox?.next && outbox.next.after <= this.position) {
      if (!draft.takeLetter(outbox)) return draft.finish(this.position, false)
    }
    for (const subscription of lost) {
      const { name, log } = subscription.channel
      const gap = evictedGap(host.epoch, name, this.#floor(subscription), log)
      if (!draft.takePrivate(gap, 0)) return draft.finish(this.position, false)
      subscription.since = log.lostThrough
      host.gapTold()
    }
    return this.#mergeFrames(host, outbox, draft, through, lost.length > 0)
  }

  #mergeFrames(
    host: CursorHost,
    outbox: Outbox | undefined,
    draft: Draft,
    through: number,
    afterGap: boolean,
  ): Batch {
    let { head } = host
    let lanes = this.#lanes()
    for (let examined = 0; examined < MAX_EXAMINED; examined += 1) {
      // Filters and variants are the application's code, and may have published to a channel that had no news.
      if (host.head !== head) {
        head = host.head
        lanes = this.#lanes()
      }
      // The next read tells what was lost meanwhile.
      if (lanes.some(({ lost }) => lost)) break
      const lane = earliest(lanes)
      const next = lane?.frame
      const frame = next && next.sequence <= through ? next : undefined
      if (outbox?.next && (!frame || outbox.next.after < frame.sequence)) {
        if (!draft.takeLetter(outbox)) break
      } else if (lane && frame) {
        const bytes = this.#bytesOf(frame, lane.channel, host)
        if (bytes && !draft.takeFrame(bytes)) {
          this.#admitted = frame.sequence
          if (afterGap) this.#owed = { channel: lane.channel, sequence: frame.sequence, bytes }
          break
        }
        this.position = frame.sequence
        lane.step(frame)
      } else {
        if (!this.held) this.position = host.head
        return draft.finish(this.position, true)
      }
    }
    return draft.finish(this.position, false)
  }

  #lanes(): Lane[] {
    return this.subscriptions
      .filter((one) => one.channel.log.newest > this.#floor(one))
      .map((one) => new Lane(one.channel, this.#floor(one)))
  }

  /** A frame as this connection gets it; `null` when it does not. */
  #bytesOf(frame: Frame, channel: ChannelState, host: CursorHost): Uint8Array | null {
    const asked = frame.sequence === this.#admitted
    if (!asked && !this.lets(frame.event, host)) return null
    return this.variant ? this.variant.bytesOf(frame, channel) : frame.bytes
  }

  /** Whether the filter lets an event pass. One that throws lets nothing: it may be what guards the event. */
  lets(event: PublishedEvent, host: CursorHost): boolean {
    if (!this.filter) return true
    try {
      return this.filter(event) === true
    } catch (error) {
      host.report(error, { during: 'filter', channel: event.channel })
      return false
    }
  }
}

/** One channel's part in a merge: the frame that comes next. */
class Lane {
  readonly channel: ChannelState
  #after: number
  #index: number
  #version: number

  constructor(channel: ChannelState, after: number) {
    this.channel = channel
    this.#after = after
    this.#index = channel.log.indexAfter(after)
    this.#version = channel.log.version
  }

  /** Filters and variants are the application's code: they may have published so much that what comes next is gone. */
  get lost(): boolean {
    return this.channel.log.lostThrough > this.#after
  }

  get frame(): Frame | undefined {
    const { log } = this.channel
    if (this.#version !== log.version) {
      this.#version = log.version
      this.#index = log.indexAfter(this.#after)
    }
    // Superseded frames leave empty places.
    while (this.#index < log.end && !log.at(this.#index)) this.#index += 1
    return log.at(this.#index)
  }

  step({ sequence }: Frame): void {
    this.#after = sequence
    this.#index += 1
  }
}

function earliest(lanes: readonly Lane[]): Lane | undefined {
  let found: Lane | undefined
  let least = Infinity
  for (const lane of lanes) {
    const sequence = lane.frame?.sequence ?? Infinity
    if (sequence < least) {
      least = sequence
      found = lane
    }
  }
  return found
}

/** The write that is being put together. */
class Draft {
  readonly #host: CursorHost
  readonly #behindPrivate: number
  #private = false
  #large = false
  readonly #chunks: Uint8Array[] = []
  #size = 0
  #events = 0

  /** @param behindPrivate bytes of frames that may follow what only this connection gets */
  constructor(host: CursorHost, behindPrivate: number) {
    this.#host = host
    this.#behindPrivate = behindPrivate
  }

  /** Takes a frame unless the write is full; the first is always taken, however large. */
  takeFrame(bytes: Uint8Array): boolean {
    if (this.#private && this.#size + bytes.length > this.#behindPrivate) return false
    return this.#take(bytes, 1)
  }

  /** Takes what only this connection gets. */
  takePrivate(bytes: Uint8Array, events: number): boolean {
    const taken = this.#take(bytes, events)
    if (taken) this.#private = true
    return taken
  }

  #take(bytes: Uint8Array, events: number): boolean {
    const large = bytes.length >= LARGE
    if (this.#chunks.length > 0) {
      if (large || this.#large || this.#size + bytes.length > this.#host.maxWriteBytes) return false
    }
    this.#large = large
    this.#chunks.push(bytes)
    this.#size += bytes.length
    this.#events += events
    return true
  }

  takeLetter(outbox: Outbox): boolean {
    const letter = outbox.next as Letter // the callers have looked
    const taken = this.takePrivate(letter.bytes, letter.events)
    if (taken) outbox.shift()
    return taken
  }

  finish(through: number, whole: boolean): Batch {
    const bytes = this.#host.batcher.join(this.#chunks)
    return { bytes, events: this.#events, through, whole }
  }
}

// A hub's log when it is shared over a bus: events leave for the bus when they are published, and enter the channels when they
// come back from there, to this hub as to every other.

import type { Batcher } from './batch.ts'
import type { Bus, Entry, Page } from './bus.ts'
import type { ChannelState } from './channel.ts'
import type { Channels } from './channels.ts'
import type { Clock } from './clock.ts'
import type { Connection } from './connection.ts'
import { ArrivedEvent, decodeEntry, encodeEntry, type SharedEvent } from './entry.ts'
import { SluiceError, shown } from './errors.ts'
import { checkSendable } from './event.ts'
import { checkId, type EventInput, encodeText, serializeData } from './event-stream/encode.ts'
import type { FanOut } from './fan-out.ts'
import { Feed, type FeedHost } from './feed.ts'
import { Frame } from './frame.ts'
import { describeGap, encodeGap } from './gap.ts'
import type { HubSettings } from './hub-options.ts'
import { epochName, mintId } from './position.ts'
import { Recall, type RecallHost } from './recall.ts'

export interface SharedLogHost {
  readonly clock: Clock
  readonly settings: HubSettings
  readonly channels: Channels
  readonly live: ReadonlySet<Connection>
  readonly fanOut: FanOut
  readonly batcher: Batcher
  readonly position: string
  epoch: string
  head: number
  idOf(sequence: number): string
  log(channel: ChannelState, frame: Frame, final: boolean): void
  published(channel: string, id: string, bytes: number): void
  refuseEnded(channel: string): void
  refuseReserved(ownId: string | undefined): void
  gapTold(): void
  busChanged(up: boolean, cause: unknown): void
  report(error: unknown, context: { during: 'bus'; channel?: string }): void
}

/** No position is longer on the wire. */
const LONGEST_ID = mintId('0000000000', Number.MAX_SAFE_INTEGER)

export class SharedLog implements FeedHost, RecallHost {
  readonly feed: Feed
  readonly #host: SharedLogHost
  readonly #recall = new Recall(this)
  /** Channels whose readers have to be walked before the bus is read on. */
  readonly #backlogged = new Set<ChannelState>()
  /** As the bus calls it. */
  busEpoch: string | undefined

  constructor(bus: Bus, host: SharedLogHost) {
    this.#host = host
    this.feed = new Feed(bus, this, host.settings.busTimeout)
  }

  get clock(): Clock {
    return this.#host.clock
  }

  get random(): () => number {
    return this.#host.settings.random
  }

  get head(): number {
    return this.#host.head
  }

  /**
   * Publishes over the bus. The event comes back from there, to this hub as to every other: all see one order.
   *
   * @throws {SluiceError} as rejection
   */
  async publish(name: string, event: EventInput, final: boolean): Promise<string> {
    const { settings } = this.#host
    this.#host.refuseEnded(name)
    const { event: type, data, id: givenId, retry, comment, key } = checkSendable(event)
    const id = givenId === undefined ? undefined : checkId(givenId)
    const text = serializeData(data, settings.serialize)
    const parts = { event: type, data: text, id, retry, comment }
    // Whoever made the mistake is told of it, not every process that reads it.
    encodeText({ ...parts, id: id ?? LONGEST_ID }, settings.maxEventBytes)
    const shared = { ...parts, verbatim: typeof data === 'string', key, final }
    try {
      // Which ids are the hub's own is known once the epoch is.
      const position = await this.feed.append(name, encodeEntry(shared), () => this.#host.refuseReserved(id))
      const given = id ?? this.#host.idOf(position)
      this.#host.published(name, given, text?.length ?? 0)
      return given
    } catch (error) {
      const unavailable = error instanceof SluiceError && error.code === 'SLUICE_BUS_UNAVAILABLE'
      if (!unavailable || settings.busFallback !== 'local') throw error
      this.#deliverHere(name, shared)
      return ''
    }
  }

  /** To this process's readers alone, as private events, behind what they still have to read. */
  #deliverHere(name: string, shared: SharedEvent): void {
    this.feed.stats.local += 1
    const channel = this.findChannel(name)
    if (!channel) return
    const { event, data, retry, comment } = shared
    const bytes = encodeText({ event, data, retry, comment }, this.#host.settings.maxEventBytes)
    const seen = this.#arrived(name, '', shared)
    const places = channel.beginWalk()
    for (let place = 0; place < places; place += 1) channel.readers.at(place)?.connection.deliver(seen, bytes)
    channel.endWalk()
  }

  /** Reads back what these channels published after a position, as far as their bounds allow. Settles when that is done. */
  readonly recall = (after: number, channels: readonly string[], gone: Promise<unknown>): Promise<void> => {
    this.feed.stats.recalls += 1
    return this.#recall.ask(after, channels, gone)
  }

  // --- What the recall asks for -------------------------------------------------------------------------------

  readPage(after: number): Promise<Page> {
    return this.feed.read(after)
  }

  catchUp(): Promise<void> {
    return this.feed.catchUp()
  }

  findChannel(name: string): ChannelState | undefined {
    return this.#host.channels.find(name)
  }

  /** What an entry holds; `undefined`, and a report, for what no hub has written. */
  read(entry: Entry): { frame: Frame; final: boolean } | undefined {
    const { position, channel, body } = entry
    const { clock, settings } = this.#host
    try {
      const shared = decodeEntry(body)
      if (!shared) throw new Error(`the entry at ${position} of ${shown(channel)} was not written by a hub`)
      const { event, data, id: ownId, retry, comment, final } = shared
      const id = ownId ?? this.#host.idOf(position)
      const bytes = encodeText({ event, id, data, retry, comment }, settings.maxEventBytes)
      const seen = this.#arrived(channel, id, shared)
      return { frame: new Frame(position, clock.now(), bytes, seen, ownId !== undefined), final }
    } catch (error) {
      this.report(error, { during: 'bus', channel })
      return undefined
    }
  }

  #arrived(channel: string, id: string, shared: SharedEvent): ArrivedEvent {
    return new ArrivedEvent(
      channel,
      id,
      shared,
      shared.verbatim ? undefined : this.#host.settings.deserialize,
    )
  }

  // --- What the feed brings -----------------------------------------------------------------------------------

  feedStarted(epoch: string, head: number): void {
    const host = this.#host
    this.busEpoch = epoch
    host.epoch = epochName(epoch)
    host.head = head
    host.channels.restart(head)
  }

  feedEntry(entry: Entry): boolean {
    const host = this.#host
    host.head = entry.position
    const channel = this.findChannel(entry.channel)
    // Nobody here is interested; who comes later reads it back.
    if (!channel) host.channels.missed(entry.position)
    const read = channel && this.read(entry)
    if (!channel || !read) return false
    host.log(channel, read.frame, read.final)
    if (!channel.backlogged || channel.readers.size === 0) return false
    this.#backlogged.add(channel)
    return true
  }

  async feedWalked(): Promise<void> {
    for (const channel of this.#backlogged) {
      this.#backlogged.delete(channel)
      if (channel.backlogged && channel.readers.size > 0) await channel.walked()
    }
  }

  feedLost(through: number): void {
    const host = this.#host
    host.head = through
    host.channels.missed(through)
    for (const channel of host.channels) {
      channel.log.lose(through)
      if (channel.readers.size > 0) host.fanOut.touch(channel)
    }
  }

  feedRestarted(epoch: string, head: number): void {
    const host = this.#host
    const before = host.position
    this.feedStarted(epoch, head)
    // What was joined for one place in the life before would serve the same place in this one.
    host.batcher.release()
    for (const connection of host.live) {
      connection.restart(head, ({ name, log }, last) => {
        host.gapTold()
        return encodeGap(describeGap('epoch', name, before, log), last ? host.position : undefined)
      })
    }
  }

  feedChanged(up: boolean, cause: unknown): void {
    this.#host.busChanged(up, cause)
  }

  report(error: unknown, context: { during: 'bus'; channel?: string }): void {
    this.#host.report(error, context)
  }
}

// The hub: the registry of channels and connections, the one sequence they share, and the way from a published event
// to the log. How a request becomes a connection is the entrance's business; what carries it, the doors'.

import { Admission, type AdmissionHost, type Refusal, type RefusalReason } from './admission.ts'
import { Batcher } from './batch.ts'
import type { ChannelOptions, ChannelState } from './channel.ts'
import { Channel, type ChannelHost } from './channel-handle.ts'
import { Channels } from './channels.ts'
import { checkChannelName } from './check.ts'
import type { Clock } from './clock.ts'
import type { Closed } from './close.ts'
import type { Connection, PublicConnection } from './connection.ts'
import type { ConnectionInfo } from './connection-info.ts'
import { diagnose, type Finding } from './diagnosis.ts'
import { Emitter } from './emitter.ts'
import { Entrance, type EntranceHost } from './entrance.ts'
import { SluiceError, shown } from './errors.ts'
import { checkSendable } from './event.ts'
import { checkId, type EventInput, encodeText, serializeData } from './event-stream/encode.ts'
import { FanOut } from './fan-out.ts'
import { Frame } from './frame.ts'
import { type HubOptions, type HubSettings, hubSettings } from './hub-options.ts'
import { Lifetimes, type Opened } from './lifetimes.ts'
import type { RefusalForm } from './opening.ts'
import { mintId, newEpoch, parseId } from './position.ts'
import { SharedLog, type SharedLogHost } from './shared-log.ts'
import { type CloseCounts, type CloseOptions, Shutdown } from './shutdown.ts'
import { Counters, type Stats } from './stats.ts'
import { Sweep, type SweepHost, sweepPeriod } from './sweep.ts'
import type { Telemetry } from './telemetry.ts'

/** Where a contained failure came from. */
export interface ErrorContext {
  during: 'publish' | 'filter' | 'variant' | 'pipe' | 'listener' | 'cors' | 'key' | 'write' | 'bus'
  channel?: string
}

/** What a hub tells its listeners. A type, not an interface, so that it fits the emitter's index signature. */
export type HubEvents = {
  /** A failure that was contained: of a publish whose promise may be ignored, or of the application's own callbacks. */
  error: (error: unknown, context: ErrorContext) => void
  open: (connection: PublicConnection) => void
  close: (connection: PublicConnection, closed: Closed) => void
  /** A request was refused; `key` is what `limits.connectionsPerKey` counts by. */
  refuse: (reason: RefusalReason, key: string | undefined) => void
  /** The feed of the bus is established (`up`), or broken, with what is known of why. */
  bus: (up: boolean, cause: unknown) => void
}

const HEARTBEAT = new TextEncoder().encode(':\n\n')

export class Hub implements EntranceHost, ChannelHost, SweepHost, AdmissionHost, SharedLogHost {
  // What the parts of the core share, each through the narrow interface that it states itself.
  /** @internal */
  epoch: string
  /** @internal The sequence of the newest frame. */
  head = 0
  /** @internal */
  readonly settings: HubSettings
  /** @internal */
  readonly clock: Clock
  /** @internal Every connection from its opening to its end. */
  readonly live = new Set<Connection>()
  /** @internal */
  readonly admission: Admission
  /** @internal */
  readonly batcher = new Batcher()
  /** @internal */
  readonly fanOut: FanOut
  /** @internal */
  readonly heartbeatAfter: number
  /** @internal */
  readonly heartbeatBytes = HEARTBEAT
  /** @internal */
  readonly entrance: Entrance
  /** @internal */
  readonly recall: EntranceHost['recall']
  /** @internal */
  readonly maxWriteBytes: number
  /** @internal */
  readonly maxBufferedBytes: number
  /** @internal */
  readonly maxEventBytes: number
  /** @internal */
  readonly serialize: (data: unknown) => string

  /** @internal */
  readonly channels: Channels
  readonly #sweep: Sweep
  readonly #counters = new Counters()
  readonly #telemetry: Telemetry | undefined
  readonly #lifetimes: Lifetimes
  readonly #emitter = new Emitter<HubEvents>((error) => this.report(error, { during: 'listener' }))
  /** Who wants to know that a channel has ended: the pipes into it. */
  readonly #ended = new Emitter<{ ended: (channel: string) => void }>(() => {})
  readonly #abort = new AbortController()
  readonly #shared: SharedLog | undefined
  #shutdown: Shutdown | undefined
  #closed: Promise<CloseCounts> | undefined

  /**
   * @param telemetry whom the hub tells what it does, where the platform has a place for that
   * @throws {SluiceError} SLUICE_BAD_OPTION
   */
  constructor(options: HubOptions = {}, telemetry?: Telemetry) {
    this.#telemetry = telemetry
    this.settings = hubSettings(options)
    const { clock, heartbeat, stallTimeout, random, channelDefaults } = this.settings
    this.clock = clock
    this.#lifetimes = new Lifetimes(clock.now())
    this.maxWriteBytes = this.settings.maxWriteBytes
    this.maxBufferedBytes = this.settings.maxBufferedBytes
    this.maxEventBytes = this.settings.maxEventBytes
    this.serialize = this.settings.serialize
    this.channels = new Channels(channelDefaults)
    this.fanOut = new FanOut(clock, random, () => this.batcher.release())
    const period = sweepPeriod(heartbeat, stallTimeout)
    // A sweep comes up to one period late; the silence must not be longer than was asked for.
    this.heartbeatAfter = heartbeat - period
    this.#sweep = new Sweep(this, period, stallTimeout)
    this.admission = new Admission(this, this.settings.limits, random)
    this.entrance = new Entrance(this)
    const { bus } = this.settings
    // With a bus, that says which life of the log this is.
    this.epoch = bus ? '' : newEpoch()
    this.#shared = bus && new SharedLog(bus, this)
    this.recall = this.#shared?.recall
    this.#shared?.feed.start()
  }

  /** The id of the newest event: what a page rendered now would pass as `from` to read on after it. */
  get position(): string {
    return this.idOf(this.head)
  }

  /**
   * Publishes an event to every reader of `channel`. Settles with its id once the log has it; when so much was
   * published in one turn of the event loop that the log would run over, once caught-up readers were written to.
   *
   * Ignoring the promise is safe: a failure also reaches `on('error')` and is never an unhandled rejection.
   *
   * @throws {SluiceError} (as rejection) SLUICE_BAD_CHANNEL, SLUICE_CHANNEL_ENDED, SLUICE_HUB_CLOSED,
   *   SLUICE_RESERVED_ID, and those of an event that cannot be encoded.
   */
  publish(channel: string, event: EventInput): Promise<string> {
    return this.#publish(channel, event, false)
  }

  /**
   * A handle on a channel; the channel exists as soon as somebody publishes or connects to it, options or not.
   * Options given here change the channel's from now on. Keep the handle and publish through it where they must last:
   * a channel that nobody reads and that holds nothing is dropped after its `maxAge`, and made anew with the defaults
   * unless a handle knows better.
   *
   * @throws {SluiceError} SLUICE_BAD_CHANNEL, SLUICE_BAD_OPTION
   */
  channel(name: string, options?: ChannelOptions): Channel {
    return new Channel(this, checkChannelName(name), options)
  }

  /**
   * Settles when the hub takes connections and events: at once, or, with a bus, when that was reached for the first time. Until then
   * browsers are asked to come back in a moment, and a publish waits for it, `busTimeout` at the most.
   */
  ready(): Promise<void> {
    return this.#shared?.feed.ready() ?? Promise.resolve()
  }

  /** What was counted so far, as a plain object. */
  stats(): Stats {
    // Without a prototype: a channel may be called "constructor".
    const channels: Record<string, number> = Object.create(null)
    let logBytes = 0
    for (const { name, readers, log } of this.channels) {
      logBytes += log.bytes
      if (readers.size > 0) channels[name] = readers.size
    }
    const lifetimes = this.#lifetimes.summary()
    const { refused, overloaded } = this.admission
    const connections = this.live.size
    return this.#counters.snapshot({
      connections,
      channels,
      logBytes,
      refused,
      overloaded,
      bus: this.#shared && { ...this.#shared.feed.stats },
      lifetimes,
    })
  }

  /**
   * Why clients disconnect: what the ages, silences and reasons of the closes of the last 15 to 30 minutes say, in
   * plain words with the figures and a cure, the gravest first. Empty when all is well, and when too little happened to
   * be sure (fewer than 30 closes). What was cured is gone after 30 minutes. `docs/diagnosis.md` explains each code.
   */
  diagnose(): Finding[] {
    return diagnose(this.#lifetimes.evidence(this.clock.now()), this.settings)
  }

  /**
   * Every open connection, as it stands now: its age and silence, how far it lags, what it is called. For the question
   * which client is slow; each call looks at all connections, so ask now and then, not per event.
   */
  connections(): ConnectionInfo[] {
    const now = this.clock.now()
    return Array.from(this.live, (connection) => connection.info(now))
  }

  /** Listens to the hub; the returned function stops it. What a listener throws is contained and reported as `error`. */
  on<Name extends keyof HubEvents>(name: Name, listener: HubEvents[Name]): () => void {
    return this.#emitter.on(name, listener)
  }

  /**
   * Closes every connection and takes no more: each client gets what is queued for it, and a reconnection time drawn
   * from `reconnectOver`, so that they do not come back all at once. Who has not taken it `within` is cut. Settles
   * with the counts, after which `server.close()` finishes. Closing twice gives the same promise.
   *
   * @throws {SluiceError} SLUICE_BAD_OPTION
   */
  close(options: CloseOptions = {}): Promise<CloseCounts> {
    this.#closed ??= this.#close(new Shutdown(options))
    return this.#closed
  }

  // --- What the parts of the core call ------------------------------------------------------------------------

  /** @internal Aborted when the hub closes. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** @internal */
  get reconnectOver(): number | undefined {
    return this.#shutdown?.reconnectOver
  }

  /** @internal */
  idOf(sequence: number): string {
    return mintId(this.epoch, sequence)
  }

  /** @internal The channel of that name, made when there is none. */
  channelState(name: string): ChannelState {
    return this.channels.get(name, this.clock.now())
  }

  /** @internal The channel of that name, if there is one. */
  findChannel(name: string): ChannelState | undefined {
    return this.channels.find(name)
  }

  /** @internal Publishes the final event, once. */
  endChannel(name: string, event: EventInput): Promise<string> {
    const { endedAt } = this.channelState(name)
    return endedAt > 0 ? Promise.resolve(this.idOf(endedAt)) : this.#publish(name, event, true)
  }

  /** @internal */
  onEnded(listener: (channel: string) => void): () => void {
    return this.#ended.on('ended', listener)
  }

  /** @internal The bytes of a private send. */
  encode(event: EventInput): Uint8Array {
    const { event: name, data, id, retry, comment } = checkSendable(event)
    const text = serializeData(data, this.serialize)
    return encodeText({ event: name, id, data: text, retry, comment }, this.maxEventBytes)
  }

  /** @internal */
  left(channel: ChannelState): void {
    this.channels.rest(channel, this.clock.now())
  }

  /** @internal */
  wrote(connection: Connection, events: number, bytes: number): void {
    this.#counters.delivered += events
    this.#counters.bytes += bytes
    this.#telemetry?.wrote(connection, events, bytes)
  }

  /** @internal */
  gapTold(): void {
    this.#counters.gaps += 1
    this.#telemetry?.gaps(1)
  }

  /** @internal */
  stalled(connection: Connection): void {
    this.#counters.stalls += 1
    this.#telemetry?.stalled(connection)
  }

  /** @internal */
  overloaded(overloaded: boolean): void {
    this.#telemetry?.overloaded(overloaded)
  }

  /** @internal */
  refused(refusal: Refusal, form: RefusalForm, key: string | undefined): void {
    this.#telemetry?.refused({ ...refusal, form, key })
    this.#emitter.emit('refuse', refusal.reason, key)
  }

  /** @internal */
  connectionOpened(connection: Connection, gaps: number, opened: Opened): void {
    this.live.add(connection)
    this.admission.opened(connection)
    this.#lifetimes.opened(opened, this.clock.now())
    this.#counters.opened += 1
    this.#counters.gaps += gaps
    if (gaps > 0) this.#telemetry?.gaps(gaps)
    this.#sweep.start()
  }

  /** @internal */
  announce(connection: Connection): void {
    this.#telemetry?.opened(connection)
    this.#emitter.emit('open', connection)
  }

  /** @internal */
  connectionClosed(connection: Connection, closed: Closed): void {
    // One that never opened was never counted either.
    if (!this.live.delete(connection)) return
    this.admission.closed(connection)
    this.#counters.closed(closed.reason)
    this.#lifetimes.closed(closed, this.clock.now())
    this.#telemetry?.closed(connection, closed)
    this.#emitter.emit('close', connection, closed)
    if (this.live.size === 0) this.#shutdown?.emptied()
  }

  /** @internal Reports a contained failure: to listeners, or, so that it is not lost, to the console. */
  report(error: unknown, context: ErrorContext): void {
    // A listener of `error` that throws must not be called for its own failure.
    if (context.during !== 'listener' && this.#emitter.has('error'))
      this.#emitter.emit('error', error, context)
    else console.error(`sluice: contained a failure during ${context.during}`, error)
  }

  /** @internal */
  expire(now: number): boolean {
    this.channels.expire(now)
    return this.channels.size > 0
  }

  // --- Inside -------------------------------------------------------------------------------------------------

  #publish(name: string, event: EventInput, final: boolean): Promise<string> {
    try {
      checkChannelName(name)
      if (this.#shutdown) {
        throw new SluiceError(
          'SLUICE_HUB_CLOSED',
          `The hub is closing and takes no event for ${shown(name)}; publish before close().`,
        )
      }
      if (this.#shared) {
        const shared = this.#shared.publish(name, event, final)
        // Whoever ignores the promise hears of it all the same.
        shared.catch((error: unknown) => this.#failed(name, error).catch(() => {}))
        return shared
      }
      const channel = this.channelState(name)
      const { id } = this.#append(channel, event, final).event
      if (!channel.backlogged) return Promise.resolve(id)
      if (channel.readers.size > 0) return channel.walked().then(() => id)
      // Nobody to wait for, but a loop of awaited publishes must let the event loop turn.
      return new Promise((resolve) => {
        this.clock.soon(() => {
          channel.unread()
          resolve(id)
        })
      })
    } catch (error) {
      return this.#failed(name, error)
    }
  }

  #failed(name: unknown, error: unknown): Promise<never> {
    this.report(
      error,
      typeof name === 'string' ? { during: 'publish', channel: name } : { during: 'publish' },
    )
    const failed = Promise.reject(error)
    failed.catch(() => {})
    return failed
  }

  /** @internal */
  refuseEnded(name: string): void {
    if ((this.findChannel(name)?.endedAt ?? 0) === 0) return
    throw new SluiceError(
      'SLUICE_CHANNEL_ENDED',
      `Channel ${shown(name)} has ended and takes no event until its history has expired; use another name.`,
    )
  }

  /** @internal */
  refuseReserved(ownId: string | undefined): void {
    if (ownId === undefined || parseId(this.epoch, ownId).kind !== 'here') return
    throw new SluiceError(
      'SLUICE_RESERVED_ID',
      `The id ${shown(ownId)} has the form of this hub's own ids and would resume in the wrong place; leave id out, or give one of another form.`,
    )
  }

  #append(channel: ChannelState, event: EventInput, final: boolean): Frame {
    this.refuseEnded(channel.name)
    const { event: name, data, id: givenId, retry, comment, key } = checkSendable(event)
    // As it will come back, which is what it must be found by.
    const ownId = givenId === undefined ? undefined : checkId(givenId)
    this.refuseReserved(ownId)
    // Before a position is taken: a serializer is the application's code and may publish, too.
    const text = serializeData(data, this.serialize)
    const sequence = this.head + 1
    const id = ownId ?? this.idOf(sequence)
    const bytes = encodeText({ event: name, id, data: text, retry, comment }, this.maxEventBytes)
    const published = { channel: channel.name, id, event: name || 'message', data, key }
    const frame = new Frame(sequence, this.clock.now(), bytes, published, ownId !== undefined)
    this.head = sequence
    this.log(channel, frame, final)
    this.published(channel.name, id, bytes.length)
    return frame
  }

  /** @internal Puts a frame into its channel's log, and its readers on the way. */
  log(channel: ChannelState, frame: Frame, final: boolean): void {
    channel.log.append(frame)
    if (final) {
      channel.endedAt = frame.sequence
      this.#ended.emit('ended', channel.name)
    }
    // Now, while the data is what was published: it is the application's object, and may be changed later.
    for (const variant of this.entrance.variants.values()) {
      if (variant.readers > 0) variant.bytesOf(frame, channel)
    }
    channel.log.trim()
    // With its variants, which fill the log as well.
    channel.published(frame.size)
    if (channel.readers.size > 0) this.fanOut.touch(channel)
    this.#sweep.start()
  }

  /** @internal */
  published(channel: string, id: string, bytes: number): void {
    this.#counters.published += 1
    this.#telemetry?.published(channel, id, bytes)
  }

  /** @internal */
  busChanged(up: boolean, cause: unknown): void {
    this.#emitter.emit('bus', up, cause)
  }

  /** @internal Whether it knows where it stands. */
  get started(): boolean {
    return this.#shared?.feed.started ?? true
  }

  async #close(shutdown: Shutdown): Promise<CloseCounts> {
    this.#shutdown = shutdown
    this.#abort.abort()
    const counts = await shutdown.run(this.live, this.clock, this.settings.random)
    await this.#shared?.feed.close(shutdown.within)
    this.#sweep.stop()
    this.admission.stop()
    this.channels.clear()
    return counts
  }
}

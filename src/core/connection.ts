// One client's stream: a cursor over the hub's log, a sink to write to, and a life that ends exactly once.
// It knows no transport; its sink does. It keeps no timer; the hub's sweep looks at it.

import type { ChannelState } from './channel.ts'
import { checkChannelName } from './check.ts'
import type { Clock } from './clock.ts'
import { type Closed, type CloseReason, closeReason } from './close.ts'
import type { ConnectionInfo } from './connection-info.ts'
import { Cursor, type CursorHost, OVERFLOW } from './cursor.ts'
import { SluiceError } from './errors.ts'
import type { EventInput } from './event-stream/encode.ts'
import type { FanOut } from './fan-out.ts'
import type { PublishedEvent } from './frame.ts'
import { Outbox } from './outbox.ts'
import { type PipeSource, pump } from './pipe.ts'
import { Subscription } from './readers.ts'
import type { Sink, SinkFailure, SinkOwner } from './sink.ts'

/** What a connection needs of its hub. */
export interface ConnectionHost extends CursorHost {
  readonly clock: Clock
  readonly fanOut: FanOut
  readonly maxBufferedBytes: number
  /** Milliseconds of silence after which a heartbeat is due; `Infinity` for never. */
  readonly heartbeatAfter: number
  readonly heartbeatBytes: Uint8Array
  encode(event: EventInput): Uint8Array
  channelState(name: string): ChannelState
  /** The channel has lost a reader. */
  left(channel: ChannelState): void
  /** Channels of one connection at the most. */
  readonly settings: { readonly limits: { readonly channelsPerConnection: number } }
  wrote(connection: Connection, events: number, bytes: number): void
  connectionClosed(connection: Connection, closed: Closed): void
  report(error: unknown, context: { during: 'filter' | 'pipe' | 'write'; channel?: string }): void
}

/**
 * - `ready`: the transport has taken everything; the next write may go.
 * - `blocked`: a write is on its way, and nothing more is written until it was taken.
 * - `ending`: the stream was ended and waits for the transport to close.
 * - `closed`: over, with its reason.
 */
type State = 'ready' | 'blocked' | 'ending' | 'closed'

export class Connection implements SinkOwner {
  /** Names this connection within its hub. */
  readonly id: string
  /** The last event ID that the client came with; `''` when it brought none or one that cannot be read. */
  readonly lastEventId: string
  /** What the application called it when it opened it. */
  readonly label: string | undefined
  /** What `limits.connectionsPerKey` counts it by: its address, or what the application gave. */
  readonly key: string | undefined

  /** @internal The HTTP/2 session that carries it, if one does. */
  readonly session: object | undefined
  /** @internal In the fan-out's queue of connections. */
  due = false
  /** @internal When it is to be rotated, on the hub's clock. */
  readonly expiresAt: number

  readonly #host: ConnectionHost
  readonly #sink: Sink
  readonly #cursor: Cursor
  readonly #openedAt: number
  #state: State = 'ready'
  #outbox: Outbox | undefined
  /** While it is held, its channels: it reads none of them yet. */
  #wanted: Map<string, number | undefined> | undefined
  /** Why it will end, and the position up to which it still reads before it does. */
  #leaving: { reason: CloseReason; through: number } | undefined
  #inFlight = 0
  /** Sweeps that found the same write still on its way. */
  #blockedSweeps = 0
  #lastWriteAt: number
  #events = 0
  #bytes = 0
  #waiting: (() => void)[] | undefined
  #abort: AbortController | undefined
  #closedPromise: { promise: Promise<Closed>; resolve: (closed: Closed) => void } | undefined
  #closed: Closed | undefined

  /** @internal */
  constructor(
    host: ConnectionHost,
    sink: Sink,
    cursor: Cursor,
    life: {
      id: string
      lastEventId: string
      maxAge: number
      key?: string | undefined
      label?: string | undefined
      session?: object | undefined
    },
  ) {
    this.#host = host
    this.#sink = sink
    this.#cursor = cursor
    this.id = life.id
    this.lastEventId = life.lastEventId
    this.key = life.key
    this.label = life.label
    this.session = life.session
    this.#openedAt = host.clock.now()
    this.#lastWriteAt = this.#openedAt
    this.expiresAt = this.#openedAt + life.maxAge
    if (cursor.variant) cursor.variant.readers += 1
    sink.attach(this)
  }

  // --- What applications call ---------------------------------------------------------------------------------

  /** Aborted as soon as the connection begins to close, for whatever reason: pass it to the work done for this client. */
  get signal(): AbortSignal {
    if (!this.#abort) {
      this.#abort = new AbortController()
      if (!this.#open) this.#abort.abort()
    }
    return this.#abort.signal
  }

  /** Settles when the connection is over, with the reason. Never rejects. */
  get closed(): Promise<Closed> {
    if (this.#closed) return Promise.resolve(this.#closed)
    if (!this.#closedPromise) {
      let resolve: (closed: Closed) => void = () => {}
      const promise = new Promise<Closed>((settle) => {
        resolve = settle
      })
      this.#closedPromise = { promise, resolve }
    }
    return this.#closedPromise.promise
  }

  /** Encoded bytes held for this connection that the transport has not taken: never more than `maxBufferedBytes`, one write (`maxWriteBytes`, or one larger event) and one event sent. */
  get bufferedBytes(): number {
    return this.#inFlight + (this.#outbox?.bytes ?? 0)
  }

  /** The name of the variant it is served; `undefined` for the shape as published. */
  get variant(): string | undefined {
    return this.#cursor.variant?.name
  }

  /** The names of the channels it reads. */
  get channels(): string[] {
    if (this.#wanted) return [...this.#wanted.keys()]
    return this.#cursor.subscriptions.map(({ channel }) => channel.name)
  }

  /**
   * Reads `channel` from now on: what is published after this call. Reading it already changes nothing.
   *
   * @throws {SluiceError} SLUICE_BAD_CHANNEL, SLUICE_CONNECTION_CLOSED, SLUICE_CHANNEL_ENDED, SLUICE_TOO_MANY_CHANNELS
   */
  subscribe(channel: string): void {
    const name = checkChannelName(channel)
    if (!this.#open) {
      throw new SluiceError(
        'SLUICE_CONNECTION_CLOSED',
        `Connection ${this.id} has closed and cannot subscribe to ${JSON.stringify(name)}; look at its signal before.`,
      )
    }
    if (this.#wanted?.has(name) || this.#find(name)) return
    const { channelsPerConnection } = this.#host.settings.limits
    if (this.channels.length >= channelsPerConnection) {
      throw new SluiceError(
        'SLUICE_TOO_MANY_CHANNELS',
        `Connection ${this.id} reads ${channelsPerConnection} channels, which is all that limits.channelsPerConnection allows; unsubscribe from one before ${JSON.stringify(name)}, or raise the limit.`,
      )
    }
    const state = this.#host.channelState(name)
    if (state.endedAt > 0) {
      throw new SluiceError(
        'SLUICE_CHANNEL_ENDED',
        `Channel ${JSON.stringify(name)} has ended, so nothing will come; open a connection with from: 'oldest' to replay it.`,
      )
    }
    if (this.#wanted) this.#wanted.set(name, this.#host.head)
    else this.join(state, this.#host.head)
  }

  /** Stops reading `channel`; what was published to it and not yet written is not sent. Not reading it changes nothing. */
  unsubscribe(channel: string): void {
    const subscription = this.#find(checkChannelName(channel))
    this.#wanted?.delete(channel)
    if (subscription) this.#leave(subscription)
  }

  /**
   * Sends an event to this client only. It belongs to no channel, gets no id unless `event.id` gives one (which
   * then cannot be resumed from), and keeps its place among the channels' events: the order of the calls.
   *
   * Returns `true` when it was taken. Returns `false`, and drops the event, when the connection has closed or
   * already holds `maxBufferedBytes`: wait for `ready()` and send again.
   *
   * @throws {SluiceError} for an event that cannot be encoded (SLUICE_BAD_EVENT and its kin).
   */
  send(event: EventInput): boolean {
    const bytes = this.#host.encode(event)
    if (!this.#open || this.bufferedBytes >= this.#host.maxBufferedBytes) return false
    this.post(bytes, 1)
    this.#host.fanOut.wake(this)
    return true
  }

  /** Settles when the connection can take more (less than `maxWriteBytes` are buffered), or has closed. Never rejects. */
  ready(): Promise<void> {
    if (!this.#open || this.bufferedBytes < this.#host.maxWriteBytes) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiting ??= []
      this.#waiting.push(resolve)
    })
  }

  /**
   * Sends every item of `source` to this client: a string as the data of an event, anything else as an event. Asks
   * for the next item only when the client can take more, and stops the source when the client leaves.
   *
   * Settles with the number of items sent; rejects with what the source threw. Ignoring the promise is safe: a
   * failure is also reported as the hub's `error`. The connection stays open afterwards.
   */
  pipe(source: PipeSource): Promise<number> {
    const piped = pump(source, this.signal, async (event) => {
      while (this.#open && !this.send(event)) await this.ready()
      await this.ready()
    })
    piped.catch((error: unknown) => this.#host.report(error, { during: 'pipe' }))
    return piped
  }

  /**
   * Ends the stream, after what was sent and published before this call. A client that does not take it is given
   * up after `stallTimeout`. Closing twice changes nothing. Note that an `EventSource` comes back by itself.
   *
   * @param reason what `closed` and the statistics will say; default `'closed'`.
   */
  close(reason: CloseReason = 'closed'): void {
    this.leave(closeReason(reason))
  }

  // --- What the hub and its parts call ------------------------------------------------------------------------

  /** @internal Whether it reads and takes sends: neither leaving nor over. */
  get isOpen(): boolean {
    return this.#open
  }

  get #open(): boolean {
    return !this.#leaving && (this.#state === 'ready' || this.#state === 'blocked')
  }

  /** @internal Reads `channel` after `since`. */
  join(channel: ChannelState, since: number): void {
    const subscription = new Subscription(this, channel, since)
    channel.readers.add(subscription)
    this.#cursor.subscriptions = [...this.#cursor.subscriptions, subscription]
  }

  /** @internal Stands still until `proceed`: where it starts in these channels is being found out. */
  hold(channels: readonly string[]): void {
    this.#cursor.held = true
    this.#wanted = new Map(channels.map((name) => [name, undefined]))
  }

  /** @internal While it is held: the channels it will read, with the position it reads them after; `undefined` is to be found out. */
  get wanted(): ReadonlyMap<string, number | undefined> | undefined {
    return this.#wanted
  }

  /** @internal Its place was found. @param opening what it is told there, in front of everything */
  proceed(position: number, opening: Uint8Array | undefined): void {
    this.#cursor.held = false
    this.#wanted = undefined
    this.#cursor.position = position
    if (opening) {
      this.#outbox ??= new Outbox()
      this.#outbox.unshift(opening)
    }
    this.#host.fanOut.wake(this)
  }

  /** @internal Positions start anew at `head`; it is told so for each of its channels, and goes on from there. */
  restart(head: number, tell: (channel: ChannelState, last: boolean) => Uint8Array): void {
    this.#outbox?.rebase(head)
    this.#cursor.restart(head)
    for (const [name, since] of this.#wanted ?? []) if (since !== undefined) this.#wanted?.set(name, head)
    if (this.#leaving) this.#leaving.through = head
    const { subscriptions } = this.#cursor
    for (const [index, subscription] of subscriptions.entries()) {
      subscription.since = 0
      this.post(tell(subscription.channel, index === subscriptions.length - 1), 0)
    }
    this.#host.fanOut.wake(this)
  }

  /** @internal Sends it what a channel could not log, if its filter lets it pass and there is room. */
  deliver(event: PublishedEvent, bytes: Uint8Array): void {
    if (!this.#open || this.bufferedBytes >= this.#host.maxBufferedBytes) return
    if (!this.#cursor.lets(event, this.#host)) return
    this.post(bytes, 1)
    this.#host.fanOut.wake(this)
  }

  /** @internal Puts encoded bytes in line behind what was published until now. */
  post(bytes: Uint8Array, events: 0 | 1): void {
    this.#outbox ??= new Outbox()
    this.#outbox.push(this.#host.head, bytes, events)
  }

  /** @internal Puts the opening block in front of everything and writes as much as one write takes. */
  begin(opening: Uint8Array): void {
    this.#outbox = new Outbox()
    this.#outbox.push(0, opening, 0)
    this.pull(this.#openedAt)
  }

  /** @internal Begins to close: reads on up to now, then ends. */
  leave(reason: CloseReason): void {
    if (!this.#open) return
    // It waits for nothing any more.
    this.#cursor.held = false
    this.#leaving = { reason, through: this.#host.head }
    this.#abort?.abort()
    this.#settleWaiting()
    this.#host.fanOut.wake(this)
  }

  /** @internal Called by the fan-out when there may be something to write. */
  pull(now: number): void {
    this.due = false
    if (this.#state !== 'ready') return
    try {
      this.#pull(now)
    } catch (error) {
      // Nothing is known that throws here; whatever does must not take the other connections along.
      this.#host.report(error, { during: 'write' })
      this.destroy('error')
    }
  }

  #pull(now: number): void {
    const batch = this.#cursor.read(this.#host, this.#outbox, this.#leaving?.through ?? Infinity)
    if (batch === OVERFLOW) {
      this.#leaving = { reason: 'overflow', through: 0 }
      this.#end()
      return
    }
    if (this.#outbox?.length === 0) this.#outbox = undefined
    if (this.#state !== 'ready') return // a filter of the application closed it
    if (batch.bytes) this.#write(batch.bytes, batch.events, now)
    else if (batch.whole && !this.#leaving && now - this.#lastWriteAt >= this.#host.heartbeatAfter) {
      this.#write(this.#host.heartbeatBytes, 0, now)
    } else if (!batch.whole) this.#host.fanOut.wake(this)
    if (batch.whole) this.#leaveEnded()
    if (this.#leaving && this.#cursor.position >= this.#leaving.through && !this.#outbox) this.#end()
  }

  /** A channel that has ended has nothing more to say once its final event was read. */
  #leaveEnded(): void {
    let some = false
    for (const subscription of this.#cursor.subscriptions) {
      if (subscription.channel.endedAt === 0) continue
      this.#leave(subscription)
      some = true
    }
    if (some && this.#cursor.subscriptions.length === 0) this.leave('ended')
  }

  #write(bytes: Uint8Array, events: number, now: number): void {
    this.#state = 'blocked'
    this.#inFlight = bytes.length
    this.#blockedSweeps = 0
    this.#lastWriteAt = now
    this.#events += events
    this.#bytes += bytes.length
    this.#host.wrote(this, events, bytes.length)
    this.#sink.write(bytes)
  }

  /** @internal */
  info(now: number): ConnectionInfo {
    return {
      id: this.id,
      key: this.key,
      label: this.label,
      channels: this.channels,
      variant: this.variant,
      lastEventId: this.lastEventId,
      state: this.#state === 'ready' && this.#leaving ? 'ending' : this.#state,
      age: now - this.#openedAt,
      silence: now - this.#lastWriteAt,
      lag: this.#cursor.lag(),
      bufferedBytes: this.bufferedBytes,
      events: this.#events,
      bytes: this.#bytes,
    }
  }

  /** @internal */
  taken(): void {
    this.#inFlight = 0
    if (this.#state !== 'blocked') return
    this.#state = 'ready'
    if (this.#waiting && this.bufferedBytes < this.#host.maxWriteBytes) this.#settleWaiting()
    if (this.#outbox || this.#leaving || this.#cursor.behind) this.#host.fanOut.wake(this)
  }

  /**
   * @internal One look of the sweep: how many times in a row it has found the same write still on its way. Counted in
   * sweeps, not in time: when the event loop was held up, so were the drains, and nobody is to blame.
   */
  sweep(): number {
    if (this.#state === 'ready') return 0
    this.#blockedSweeps += 1
    return this.#blockedSweeps
  }

  /** @internal Whether a heartbeat is due. */
  silentSince(now: number): number {
    return this.#state === 'ready' ? now - this.#lastWriteAt : 0
  }

  /** @internal Gives the transport up at once. A reason that was already decided stays. */
  destroy(reason: CloseReason): void {
    if (this.#state === 'closed') return
    this.#finish(this.#state === 'ending' && this.#leaving ? this.#leaving.reason : reason)
    this.#sink.destroy()
  }

  /** @internal */
  sinkClosed(failure: SinkFailure): void {
    if (this.#state === 'closed') return
    this.#finish(this.#state === 'ending' && this.#leaving ? this.#leaving.reason : failure)
  }

  #end(): void {
    this.#state = 'ending'
    this.#blockedSweeps = 0
    this.#abort?.abort()
    this.#dropSubscriptions()
    this.#outbox = undefined
    this.#settleWaiting()
    this.#sink.end()
  }

  /** The one place where a connection's life ends. */
  #finish(reason: CloseReason): void {
    const now = this.#host.clock.now()
    this.#state = 'closed'
    if (this.#cursor.variant) this.#cursor.variant.readers -= 1
    this.#dropSubscriptions()
    this.#outbox = undefined
    this.#inFlight = 0
    this.#closed = {
      reason,
      age: now - this.#openedAt,
      silence: now - this.#lastWriteAt,
      events: this.#events,
      bytes: this.#bytes,
    }
    this.#abort?.abort()
    this.#settleWaiting()
    this.#closedPromise?.resolve(this.#closed)
    this.#host.connectionClosed(this, this.#closed)
  }

  #find(name: string): Subscription | undefined {
    return this.#cursor.subscriptions.find(({ channel }) => channel.name === name)
  }

  #leave(subscription: Subscription): void {
    this.#cursor.subscriptions = this.#cursor.subscriptions.filter((one) => one !== subscription)
    subscription.channel.readers.remove(subscription)
    this.#host.left(subscription.channel)
  }

  #dropSubscriptions(): void {
    for (const subscription of this.#cursor.subscriptions) this.#leave(subscription)
  }

  #settleWaiting(): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting) for (const resolve of waiting) resolve()
  }
}

/** What applications see of a connection; the rest is between the parts of the core. */
export type PublicConnection = Pick<
  Connection,
  | 'id'
  | 'lastEventId'
  | 'label'
  | 'key'
  | 'variant'
  | 'channels'
  | 'signal'
  | 'closed'
  | 'bufferedBytes'
  | 'subscribe'
  | 'unsubscribe'
  | 'send'
  | 'ready'
  | 'pipe'
  | 'close'
>

const NOWHERE: Sink = { attach() {}, write() {}, end() {}, destroy() {} }

/** For a request that opened no stream: a connection closed from the start, registered nowhere, counted nowhere. */
export function unopened(host: ConnectionHost, reason: CloseReason): Connection {
  const cursor = new Cursor(host.head, undefined, undefined)
  const connection = new Connection(host, NOWHERE, cursor, { id: '', lastEventId: '', maxAge: Infinity })
  connection.destroy(reason)
  return connection
}

// The bus over NATS JetStream: one stream is the log, its sequence numbers are the positions.

import type { Bus, Entry, Page } from '../core/bus.ts'
import { checkInteger, checkMilliseconds, checkOptions } from '../core/check.ts'
import { SluiceError, shown } from '../core/errors.ts'
import { bounded, Tie } from './bounded.ts'
import type { NatsConnection, NatsJetStream, NatsManager, NatsStreamConfig } from './nats-client.ts'
import { NatsStream } from './nats-stream.ts'
import { entryOf, NatsTail } from './nats-tail.ts'
import { tokenOf } from './subject-token.ts'

export type {
  NatsConnection,
  NatsJetStream,
  NatsManager,
  NatsMessage,
  NatsStreamConfig,
  NatsStreamInfo,
  NatsStreams,
  NatsSubscription,
} from './nats-client.ts'

/** How large the stream may become; read only when the bus makes it. */
export interface NatsStreamBounds {
  /** Entries held, 100,000 by default. */
  readonly maxEntries?: number
  /** Bytes held, 64 MiB by default. The server sets as much aside. */
  readonly maxBytes?: number
  /** How long an entry is held, in milliseconds; an hour by default, `Infinity`: as long as the other bounds allow. */
  readonly maxAge?: number
  /**
   * How long the server knows the name of a publish again, in milliseconds; two minutes by default, at most `maxAge`. It must be longer
   * than anybody goes on trying one publish.
   */
  readonly duplicateWindow?: number
  /** On how many servers of a cluster the stream is kept, 1 by default. */
  readonly replicas?: number
}

export interface NatsBusOptions {
  /**
   * `await connect({ maxReconnectAttempts: -1 })` of @nats-io/transport-node 3 (or nats-core elsewhere). Without that
   * option the client gives up after ten attempts and closes for ever. It stays open when the bus closes.
   */
  readonly connection: NatsConnection
  /** `jetstream(connection)` of @nats-io/jetstream 3. */
  readonly jetstream: NatsJetStream
  /** The stream's name: letters, digits, `_` and `-`. All processes of one hub name the same. */
  readonly stream: string
  /**
   * What the subjects begin with, `sluice.<stream>` by default: entries are published to `<prefix>.log.<channel>` and
   * fed from `<prefix>.live.<channel>`. Only hubs should be allowed to publish to either.
   */
  readonly subjectPrefix?: string
  /** What to make when there is no such stream; `false`: nothing, but refuse with `SLUICE_BAD_OPTION`. */
  readonly create?: NatsStreamBounds | false
  /** How long the bus waits for one answer of the server, in milliseconds; 5,000 by default. */
  readonly timeout?: number
  /** How many bytes of entries a page of `read` holds before it ends; 1 MiB by default. One entry is always read. */
  readonly pageBytes?: number
}

const OPTIONS = ['connection', 'jetstream', 'stream', 'subjectPrefix', 'create', 'timeout', 'pageBytes']
const BOUNDS = ['maxEntries', 'maxBytes', 'maxAge', 'duplicateWindow', 'replicas']

/** Requests under way in one read. More of them make it no faster. */
const WINDOW = 32

/**
 * A bus over NATS JetStream, server 2.9 or newer.
 *
 * The position of an entry is its sequence number in the stream. The channel's name becomes the last token of the
 * subject, in which letters, digits, `_` and `-` stay readable. `dedupe` is the message's id. The feed is a plain
 * subscription to what the stream republishes; pages are read message by message from the stream's leader, which
 * never lags behind what it has acknowledged.
 *
 * The epoch is derived from the time when the stream was created, so a stream that was made anew is a new epoch. A server
 * that loses acknowledged entries in a power failure (one replica, and no `sync_interval: always`) goes back under
 * the same time of creation: the first process that knows better writes a new life into the stream's description,
 * for which it needs the right to change the stream. Positions acknowledged in between belong to no epoch that lasts.
 *
 * Throws `SLUICE_BAD_OPTION`. That the stream is missing or of a wrong kind shows in `append`, `read` and `tail`, which reject with the same code.
 */
export function natsBus(options: NatsBusOptions): Bus {
  return new NatsBus(options)
}

class NatsBus implements Bus {
  readonly name = 'nats'
  readonly #connection: NatsConnection
  readonly #jetstream: NatsJetStream
  readonly #streamName: string
  readonly #prefix: string
  readonly #timeout: number
  readonly #pageBytes: number
  readonly #stream: NatsStream
  readonly #tails = new Set<NatsTail>()
  #manager: Promise<NatsManager> | undefined
  #found: Promise<unknown> | undefined
  readonly #status: AsyncIterable<{ readonly type: string }>
  /** Aborted when the connection goes: answers do not come over the next one. Another takes its place when it is back. */
  #link = new Tie()
  #closed = false

  constructor(options: NatsBusOptions) {
    checkOptions('natsBus', options, OPTIONS)
    const { connection, jetstream, stream } = options
    if (typeof connection?.subscribe !== 'function' || typeof connection.status !== 'function') {
      throw new SluiceError(
        'SLUICE_BAD_OPTION',
        `connection is ${shown(connection)}; it must be a connection of @nats-io/transport-node 3.`,
      )
    }
    if (typeof jetstream?.publish !== 'function' || typeof jetstream.jetstreamManager !== 'function') {
      throw new SluiceError(
        'SLUICE_BAD_OPTION',
        `jetstream is ${shown(jetstream)}; it must be jetstream(connection) of @nats-io/jetstream 3.`,
      )
    }
    if (typeof stream !== 'string' || !/^[A-Za-z0-9_-]{1,255}$/.test(stream)) {
      throw new SluiceError(
        'SLUICE_BAD_OPTION',
        `stream is ${shown(stream)}; it must be 1 to 255 letters, digits, underscores and hyphens.`,
      )
    }
    const prefix = options.subjectPrefix ?? `sluice.${stream}`
    if (typeof prefix !== 'string' || !/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(prefix)) {
      throw new SluiceError(
        'SLUICE_BAD_OPTION',
        `subjectPrefix is ${shown(prefix)}; it must be words of letters, digits, underscores and hyphens with dots between them.`,
      )
    }
    this.#connection = connection
    this.#jetstream = jetstream
    this.#streamName = stream
    this.#prefix = prefix
    this.#timeout = checkMilliseconds('timeout', options.timeout ?? 5_000, 1, false)
    this.#pageBytes = checkInteger('pageBytes', options.pageBytes ?? 1_048_576, 1)
    const republish = { src: `${prefix}.log.*`, dest: `${prefix}.live.{{wildcard(1)}}` }
    this.#stream = new NatsStream({
      manager: () => this.#managing(),
      create: options.create === false ? undefined : configOf(stream, options.create ?? {}, republish),
      name: stream,
      republish,
      timeout: this.#timeout,
      link: () => this.#link,
      onEpoch: (epoch) => {
        for (const tail of this.#tails) tail.epochIs(epoch)
      },
    })
    this.#status = connection.status()
    void this.#watch()
  }

  async append(
    channel: string,
    body: Uint8Array,
    { dedupe, signal }: { readonly dedupe?: string; readonly signal?: AbortSignal } = {},
  ): Promise<number> {
    this.#open(signal)
    await this.#find(signal)
    const publish = () =>
      bounded(
        this.#jetstream.publish(`${this.#prefix}.log.${tokenOf(channel)}`, body, {
          ...(dedupe === undefined ? {} : { msgID: dedupe }),
          timeout: this.#timeout,
          expect: { streamName: this.#streamName },
        }),
        'Publishing to NATS',
        this.#timeout,
        signal,
        this.#link,
      )
    let stored: Awaited<ReturnType<typeof publish>>
    try {
      stored = await publish()
    } catch (error) {
      // Nobody listens to the subject, so nothing is stored: the stream has gone, or has no leader at present.
      if (!isNoResponders(error)) throw error
      this.#found = undefined
      await this.#find(signal)
      stored = await publish()
    }
    this.#stream.saw(stored.seq)
    return stored.seq
  }

  async read(
    after: number,
    limit: number,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<Page> {
    this.#open(signal)
    const { epoch, first, head, mean } = await this.#stream.state(signal)
    let lost = after < head && after + 1 < first
    let next = Math.max(after + 1, first)
    let bytes = 0
    const entries: Entry[] = []
    while (next <= head && entries.length < limit && bytes < this.#pageBytes) {
      const size = entries.length > 0 ? bytes / entries.length : mean
      const room = Math.max(1, Math.floor((this.#pageBytes - bytes) / Math.max(1, size)))
      const messages = await this.#get(
        next,
        Math.min(WINDOW, room, limit - entries.length, head - next + 1),
        signal,
      )
      const hole = messages.indexOf(null)
      for (const message of hole < 0 ? messages : messages.slice(0, hole)) {
        if (!message || (entries.length > 0 && bytes >= this.#pageBytes)) break
        entries.push(entryOf(message.seq, message.subject.slice(`${this.#prefix}.log.`.length), message.data))
        bytes += message.data.length
        next++
      }
      if (hole < 0) continue
      // Trimmed meanwhile, or taken out by hand. A page ends before a hole, and the next one begins with telling it.
      if (entries.length > 0) break
      lost = true
      const [found] = await this.#get(next, 1, signal, `${this.#prefix}.log.*`)
      next = found ? found.seq : head + 1
    }
    // What was read between two lives of the stream belongs to neither.
    if (entries.length > 0) {
      const now = await this.#stream.state(signal)
      if (now.epoch !== epoch) return { entries: [], head: now.head, epoch: now.epoch }
    }
    return { entries, head, epoch, ...(lost ? { lost: 'trimmed' } : {}) }
  }

  async tail(listener: Parameters<Bus['tail']>[0]): Promise<{ close(): Promise<void> }> {
    this.#open(undefined)
    const tail = new NatsTail({
      connection: this.#connection,
      stream: this.#stream,
      prefix: `${this.#prefix}.live.`,
      timeout: this.#timeout,
      listener,
    })
    this.#tails.add(tail)
    try {
      await tail.start()
    } catch (error) {
      this.#tails.delete(tail)
      throw error
    }
    return {
      close: async () => {
        this.#tails.delete(tail)
        tail.close()
      },
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#link.abort(closed())
    for (const tail of this.#tails) tail.close(closed())
    this.#tails.clear()
    stop(this.#status)
  }

  /** Message by message: JetStream 2.9 has no batches, and a consumer for each read would have to be made and voted for. */
  async #get(seq: number, count: number, signal: AbortSignal | undefined, subject?: string) {
    const { streams } = await this.#managing()
    const requests = Array.from({ length: count }, (_, index) =>
      streams.getMessage(
        this.#streamName,
        subject === undefined ? { seq: seq + index } : { seq: seq + index, next_by_subj: subject },
      ),
    )
    return bounded(Promise.all(requests), 'Reading the NATS stream', this.#timeout, signal, this.#link)
  }

  #managing(): Promise<NatsManager> {
    // Asks nothing of the server when told not to check.
    this.#manager ??= this.#jetstream.jetstreamManager(false)
    return this.#manager
  }

  /** Makes sure, once, that there is a stream. */
  async #find(signal: AbortSignal | undefined): Promise<void> {
    this.#found ??= this.#stream.state()
    const finding = this.#found
    try {
      await bounded(finding, 'Finding the NATS stream', 2 * this.#timeout, signal)
    } catch (error) {
      if (this.#found === finding) this.#found = undefined
      throw error
    }
  }

  #open(signal: AbortSignal | undefined): void {
    if (this.#closed) throw closed()
    signal?.throwIfAborted()
  }

  /** The client tells of its connection; it brings subscriptions back by itself, but not what was asked. */
  async #watch(): Promise<void> {
    let reason: unknown
    try {
      for await (const { type } of this.#status) {
        if (this.#closed) return
        if (type === 'disconnect') this.#lost(new Error('The connection to NATS has been lost.'))
        else if (type === 'reconnect') {
          this.#link = new Tie()
          for (const tail of this.#tails) void tail.again()
        }
      }
    } catch (error) {
      reason = error
    }
    if (this.#closed) return
    this.#lost(
      new Error(
        'The NATS client has closed its connection for ever; connect with maxReconnectAttempts: -1.',
        {
          cause: reason,
        },
      ),
    )
  }

  #lost(cause: Error): void {
    // For ever is the better reason.
    if (this.#link.aborted) this.#link = new Tie()
    this.#link.abort(cause)
    for (const tail of this.#tails) tail.broken(cause)
  }
}

function configOf(
  name: string,
  bounds: NatsStreamBounds,
  republish: NatsStreamConfig['republish'],
): NatsStreamConfig {
  checkOptions('create', bounds, BOUNDS)
  const maxAge = checkMilliseconds('create.maxAge', bounds.maxAge ?? 3_600_000, 100, true)
  const window = bounds.duplicateWindow ?? Math.min(120_000, maxAge)
  const duplicateWindow = checkMilliseconds('create.duplicateWindow', window, 100, false)
  if (duplicateWindow > maxAge) {
    throw new SluiceError(
      'SLUICE_BAD_OPTION',
      `create.duplicateWindow is ${duplicateWindow}; it must not be longer than create.maxAge, which is ${maxAge}.`,
    )
  }
  return {
    name,
    subjects: [republish.src],
    retention: 'limits',
    storage: 'file',
    discard: 'old',
    num_replicas: checkInteger('create.replicas', bounds.replicas ?? 1, 1),
    max_msgs: checkInteger('create.maxEntries', bounds.maxEntries ?? 100_000, 1),
    max_bytes: checkInteger('create.maxBytes', bounds.maxBytes ?? 67_108_864, 1),
    max_age: maxAge === Infinity ? 0 : nanoseconds(maxAge),
    duplicate_window: nanoseconds(duplicateWindow),
    republish,
  }
}

/** Exact enough: a year in nanoseconds is above what a double counts one by one, and rounded to a few of them. */
function nanoseconds(ms: number): number {
  return Math.round(ms) * 1_000_000
}

function isNoResponders(error: unknown): boolean {
  return error instanceof Error && error.name === 'JetStreamNotEnabled'
}

function closed(): SluiceError {
  return new SluiceError('SLUICE_HUB_CLOSED', 'The NATS bus is closed.')
}

/** The client's list of listeners grows without this; its type does not tell of it. */
function stop(status: unknown): void {
  if (
    typeof status === 'object' &&
    status !== null &&
    'stop' in status &&
    typeof status.stop === 'function'
  ) {
    status.stop()
  }
}

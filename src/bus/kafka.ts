// The bus over Kafka: one partition is the log, a position is an offset and one.

import type { AppendOptions, Bus, Entry, Page, TailListener } from '../core/bus.ts'
import { checkInteger, checkMilliseconds, checkOptions } from '../core/check.ts'
import { SluiceError, shown } from '../core/errors.ts'
import { bounded } from './bounded.ts'
import type { KafkaPort } from './kafka-port.ts'
import { KafkaReader, type Verdict } from './kafka-reader.ts'
import { Repeats } from './kafka-repeats.ts'
import { KafkaTail } from './kafka-tail.ts'
import { KafkaTopic } from './kafka-topic.ts'
import { channelOf, tokenOf } from './subject-token.ts'

export type { KafkaListener, KafkaPort, KafkaReading, KafkaRecord } from './kafka-port.ts'
export { type Kafkajs, type KafkajsPortOptions, kafkajsPort } from './kafkajs.ts'

export interface KafkaBusOptions {
  /** `kafkajsPort({ kafka, topic })`, or the few functions of a `KafkaPort` over another client. The bus closes it. */
  readonly port: KafkaPort
  /**
   * Names the life of the log: change it, in all processes, whenever the topic is made anew. By default the life is that of the
   * cluster's id, the topic and the partition, and of how often the process has seen the partition go back.
   */
  readonly epoch?: string
  /**
   * Among how many records before it a record of the same `dedupe` name makes it a repeat, 1,000 by default; the same in all
   * processes. As many are read, for their names, before a feed or a read that begins in the midst of the log.
   */
  readonly dedupeReach?: number
  /** How long the bus waits for one answer, joining a consumer group included, in milliseconds; 10,000 by default. */
  readonly timeout?: number
  /** How many bytes of entries a page of `read` holds before it ends; 1 MiB by default. One entry is always read. */
  readonly pageBytes?: number
}

/**
 * A bus over one partition of a Kafka topic.
 *
 * The topic must exist, with `cleanup.policy=delete` and bounds of its own (`retention.ms`, `retention.bytes`), and nothing but hubs may write to
 * the partition: neither compaction nor transactions belong there. The position of an entry is its offset and one;
 * the channel's name is the key.
 *
 * Kafka knows no names of publishes (an idempotent producer knows only its own resends, within one session), so a publish
 * that is tried again may be stored twice. Its name goes with it as a header, and every reader passes over a record
 * whose name one of the `dedupeReach` records before it has: the rule looks at the log alone, so all
 * processes come to the same entries. `append` with a name therefore waits until a feed has come to its record, and answers
 * with the position of the first of that name; a bus without a tail joins a group of its own for that.
 *
 * A partition whose end goes back (an unclean election, a topic deleted and made again) begins a new epoch in the processes that have
 * seen it; one that starts later cannot know. Give `epoch` if topics are ever made anew.
 *
 * Every feed, and all reads together, are one consumer group each, which takes brokers about three seconds to form
 * (`group.initial.rebalance.delay.ms`). Throws `SLUICE_BAD_OPTION`.
 */
export function kafkaBus(options: KafkaBusOptions): Bus {
  return new KafkaBus(options)
}

class KafkaBus implements Bus {
  readonly name = 'kafka'
  readonly #port: KafkaPort
  readonly #topic: KafkaTopic
  readonly #reader: KafkaReader
  readonly #reach: number
  readonly #timeout: number
  readonly #pageBytes: number
  readonly #tails = new Set<KafkaTail>()
  /** Tails that are not yet established. */
  readonly #starting = new Set<KafkaTail>()
  /** A feed of our own, for names, where nobody else has one. */
  #index: Promise<KafkaTail> | undefined
  /** Positions of names that were stored, the oldest first. */
  readonly #names = new Map<string, number>()
  /** Whose names are known up to where the last page ended, so that the next one need not begin before. */
  readonly #repeats: Repeats
  #covered: number | undefined
  #epoch = ''
  #pages: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(options: KafkaBusOptions) {
    checkOptions('kafkaBus', options, ['port', 'epoch', 'dedupeReach', 'timeout', 'pageBytes'])
    const { port, epoch } = options
    if (typeof port?.watermarks !== 'function' || typeof port.consume !== 'function') {
      throw new SluiceError(
        'SLUICE_BAD_OPTION',
        `port is ${shown(port)}; it must be kafkajsPort({ kafka, topic }).`,
      )
    }
    if (epoch !== undefined && typeof epoch !== 'string') {
      throw new SluiceError('SLUICE_BAD_OPTION', `epoch is ${shown(epoch)}; it must be a string.`)
    }
    this.#port = port
    this.#reach = checkInteger('dedupeReach', options.dedupeReach ?? 1_000, 0)
    this.#timeout = checkMilliseconds('timeout', options.timeout ?? 10_000, 1, false)
    this.#pageBytes = checkInteger('pageBytes', options.pageBytes ?? 1_048_576, 1)
    this.#repeats = new Repeats(this.#reach)
    this.#reader = new KafkaReader(port, this.#timeout)
    this.#topic = new KafkaTopic(port, epoch, this.#timeout, () => {
      this.#names.clear()
      for (const tail of this.#tails) tail.renewed()
    })
  }

  async append(channel: string, body: Uint8Array, { dedupe, signal }: AppendOptions = {}): Promise<number> {
    this.#check(signal)
    const known = dedupe === undefined ? undefined : this.#names.get(dedupe)
    if (known !== undefined) return known
    const producing = this.#port.produce({ key: tokenOf(channel), value: body, dedupe })
    const offset = await bounded(producing, 'Producing to Kafka', this.#timeout, signal)
    this.#topic.saw(offset)
    if (dedupe === undefined) return offset + 1
    // It may have been stored before, by an attempt whose answer was lost, or by another process: readers take the first.
    const feed = await bounded(this.#feed(), 'Finding a record in the Kafka feed', this.#timeout, signal)
    const position = (await feed.firstOf(dedupe, offset, signal)) + 1
    this.#remember(dedupe, position)
    return position
  }

  read(after: number, limit: number, { signal }: { readonly signal?: AbortSignal } = {}): Promise<Page> {
    const turn = this.#pages.then(() => this.#page(after, limit, signal))
    this.#pages = turn.catch(() => {})
    return bounded(turn, 'Reading from Kafka', 3 * this.#timeout, signal)
  }

  async #page(after: number, limit: number, signal: AbortSignal | undefined): Promise<Page> {
    this.#check(signal)
    const { epoch, low, high } = await this.#topic.state(signal)
    const start = Math.max(after, low)
    if (start >= high) return { entries: [], head: high, epoch, ...(after < high ? { lost: 'trimmed' } : {}) }
    let next = start
    if (this.#covered !== start || this.#epoch !== epoch) {
      this.#repeats.clear()
      next = Math.max(low, start - this.#reach)
    }
    this.#epoch = epoch
    this.#covered = undefined // until it is known how far we came
    const entries: Entry[] = []
    let bytes = 0
    let covered = start
    let previous = after < low ? low : after
    const visit = ({
      offset,
      key,
      value,
      dedupe,
    }: {
      offset: number
      key: string
      value: Uint8Array
      dedupe: string | undefined
    }): Verdict => {
      // Trimmed meanwhile, perhaps: the page ends before a hole, and the next one begins with finding out.
      if (offset > covered && entries.length > 0) return 'refused'
      if (offset > covered) previous = offset
      const repeat = this.#repeats.isRepeat(offset, dedupe)
      if (offset < start) return 'next'
      covered = offset + 1
      if (repeat) return 'next'
      entries.push({ position: offset + 1, previous, channel: channelOf(key), body: new Uint8Array(value) })
      previous = offset + 1
      bytes += value.length
      return entries.length >= limit || bytes >= this.#pageBytes ? 'last' : 'next'
    }
    await this.#reader.visit(next, high, visit, signal)
    this.#covered = covered
    // What was read between two lives belongs to neither.
    const now = await this.#topic.state(signal)
    if (now.epoch !== epoch) return { entries: [], head: now.high, epoch: now.epoch }
    const lost =
      after < low || (after < now.low && entries[0] !== undefined && entries[0].position > after + 1)
    return { entries, head: now.high, epoch, ...(lost ? { lost: 'trimmed' } : {}) }
  }

  async tail(listener: TailListener): Promise<{ close(): Promise<void> }> {
    this.#check(undefined)
    this.#reader.prepare()
    const tail = await this.#start(listener)
    return {
      close: () => {
        this.#tails.delete(tail)
        return tail.close()
      },
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const tails = [...this.#tails, ...this.#starting]
    this.#tails.clear()
    await Promise.all([...tails.map((tail) => tail.close(closed())), this.#reader.close()])
    await bounded(this.#port.close(), 'Leaving Kafka', this.#timeout).catch(() => {})
  }

  /** A feed that knows what is a repeat: one that there is, or one for nobody else. */
  #feed(): Promise<KafkaTail> {
    const [tail] = this.#tails
    if (tail) return Promise.resolve(tail)
    this.#index ??= this.#start({ entry() {}, up() {}, down() {} }).catch((error: unknown) => {
      this.#index = undefined
      throw error
    })
    return this.#index
  }

  async #start(listener: TailListener): Promise<KafkaTail> {
    const tail = new KafkaTail({
      port: this.#port,
      topic: this.#topic,
      reach: this.#reach,
      timeout: this.#timeout,
      listener,
    })
    this.#starting.add(tail)
    try {
      await tail.start()
    } finally {
      this.#starting.delete(tail)
    }
    this.#tails.add(tail)
    return tail
  }

  /** As many names as a repeat can reach back are remembered, so that a known one is not stored again. */
  #remember(name: string, position: number): void {
    this.#names.set(name, position)
    if (this.#names.size > this.#reach) {
      const [oldest] = this.#names.keys()
      if (oldest !== undefined) this.#names.delete(oldest)
    }
  }

  #check(signal: AbortSignal | undefined): void {
    if (this.#closed) throw closed()
    signal?.throwIfAborted()
  }
}

function closed(): SluiceError {
  return new SluiceError('SLUICE_HUB_CLOSED', 'The Kafka bus is closed.')
}

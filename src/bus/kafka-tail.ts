// The feed of one listener: a consumer of its own that begins at the end of the partition and, after trouble, where it was.

import type { TailListener } from '../core/bus.ts'
import { bounded, pause } from './bounded.ts'
import { guarded } from './guarded.ts'
import type { KafkaPort, KafkaReading, KafkaRecord } from './kafka-port.ts'
import { Repeats } from './kafka-repeats.ts'
import type { KafkaTopic, TopicState } from './kafka-topic.ts'
import { channelOf } from './subject-token.ts'

/** How long a feed waits before it tries again, in milliseconds: twice as long each time, up to the most. */
const FIRST_WAIT = 250
const MOST_WAIT = 5_000

export interface KafkaTailOptions {
  readonly port: KafkaPort
  readonly topic: KafkaTopic
  readonly reach: number
  readonly timeout: number
  readonly listener: TailListener
}

interface Waiter {
  readonly offset: number
  readonly resolve: () => void
}

export class KafkaTail {
  readonly #options: KafkaTailOptions
  readonly #repeats: Repeats
  readonly #ending = new AbortController()
  #reading: KafkaReading | undefined
  /** Counts the attempts to go live: what an older one finds out is void. */
  #attempt = 0
  #live = false
  /** Opens when the attempt has become live, or void. */
  #open = () => {}
  #epoch = ''
  /** The offset that comes next. */
  #next = 0
  /** Records before this offset are read for their names alone. */
  #from = 0
  /** The newest position that the listener has been told of. */
  #told = 0
  /** Who waits for the feed to come to an offset. */
  readonly #waiters = new Set<Waiter>()

  constructor(options: KafkaTailOptions) {
    this.#options = options
    this.#repeats = new Repeats(options.reach)
  }

  async start(): Promise<void> {
    const attempt = ++this.#attempt
    try {
      this.#up(attempt, await this.#begin(attempt))
    } catch (error) {
      await this.close(error)
      throw error
    }
  }

  /**
   * Resolves, once the feed has come to `offset`, to the offset of the first record of the name that the record there has.
   * Rejects when it does not come so far in time.
   */
  async firstOf(name: string, offset: number, signal: AbortSignal | undefined): Promise<number> {
    if (this.#next <= offset) {
      let waiter: Waiter | undefined
      const reached = new Promise<void>((resolve) => {
        waiter = { offset, resolve }
        this.#waiters.add(waiter)
      })
      try {
        await bounded(reached, 'Finding a record in the Kafka feed', this.#options.timeout, signal)
      } finally {
        if (waiter) this.#waiters.delete(waiter)
      }
    }
    return this.#repeats.firstOf(name) ?? offset
  }

  /** The partition is in another life, as somebody has found out. */
  renewed(): void {
    if (this.#live) this.#broken(new Error('The Kafka partition has been made anew, or has lost records.'))
  }

  async close(reason?: unknown): Promise<void> {
    this.#attempt++
    this.#live = false
    this.#ending.abort(reason)
    await this.#stop()
  }

  async #begin(attempt: number): Promise<TopicState> {
    const { port, topic, timeout, reach } = this.#options
    const { signal } = this.#ending
    const state = await topic.state(signal)
    if (state.epoch !== this.#epoch) {
      this.#epoch = state.epoch
      this.#repeats.clear()
      this.#from = state.high
      this.#told = state.high
      this.#next = Math.max(state.low, state.high - reach)
    }
    const live = new Promise<void>((resolve) => {
      this.#open = resolve
    })
    const consuming = port.consume({
      position: () => this.#next,
      records: async (records) => {
        await live
        for (const record of records) if (attempt === this.#attempt) this.#record(record)
        for (const { offset, resolve } of this.#waiters) if (offset < this.#next) resolve()
      },
      failed: (cause) => {
        if (attempt === this.#attempt) this.#broken(cause)
      },
    })
    try {
      const reading = await bounded(consuming, 'Joining a Kafka consumer group', timeout, signal)
      if (attempt === this.#attempt) this.#reading = reading
      else await reading.close()
    } catch (error) {
      // Too late for us; and it must not read on for nobody.
      consuming.then((reading) => reading.close()).catch(() => {})
      throw error
    }
    return state
  }

  #up(attempt: number, { epoch, high }: TopicState): void {
    if (attempt !== this.#attempt) return
    this.#live = true
    guarded(() => this.#options.listener.up({ epoch, head: high }))
    this.#open()
  }

  /** Tells that the feed is broken, if it was not, and goes on trying. */
  #broken(cause: unknown): void {
    const attempt = ++this.#attempt
    const told = this.#live
    this.#live = false
    if (told) guarded(() => this.#options.listener.down(cause))
    void this.#again(attempt)
  }

  async #again(failed: number): Promise<void> {
    let attempt = failed
    for (let wait = FIRST_WAIT; attempt === this.#attempt; wait = Math.min(2 * wait, MOST_WAIT)) {
      await this.#stop()
      await pause(wait * (0.5 + Math.random() / 2), this.#ending.signal)
      if (attempt !== this.#attempt) return
      attempt = ++this.#attempt
      try {
        this.#up(attempt, await this.#begin(attempt))
        return
      } catch {
        // `down` has been told; reads meet the same error and tell it to whoever asked.
      }
    }
  }

  /** Ends the consumer, whose records may be waiting; one that cannot say farewell to its broker takes the time that it takes. */
  async #stop(): Promise<void> {
    this.#open()
    const reading = this.#reading
    this.#reading = undefined
    if (!reading) return
    await bounded(reading.close(), 'Leaving a Kafka consumer group', this.#options.timeout).catch(() => {})
  }

  #record({ offset, key, value, dedupe }: KafkaRecord): void {
    const { topic, listener } = this.#options
    if (offset < this.#next) {
      // The client was sent back to the oldest record, for ours is beyond the end: the answer calls `renewed`.
      topic.state(this.#ending.signal).catch(() => {})
      return
    }
    if (offset > this.#next) this.#told = Math.max(this.#told, offset) // what lies between is for a read to find out
    this.#next = offset + 1
    topic.saw(offset)
    if (this.#repeats.isRepeat(offset, dedupe) || offset < this.#from) return
    const entry = {
      position: offset + 1,
      previous: this.#told,
      channel: channelOf(key),
      body: new Uint8Array(value),
    }
    this.#told = entry.position
    guarded(() => listener.entry(entry))
  }
}

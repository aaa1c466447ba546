// Reading back: one consumer that jumps to and fro, for one reader at a time, because joining a group takes seconds. Between
// two reads it stands with records in its hands, so that the next read does not wait for a request under way.

import { bounded } from './bounded.ts'
import type { KafkaPort, KafkaReading, KafkaRecord } from './kafka-port.ts'

/** What a visitor makes of a record: took it and wants the next, took it as its last, or did not take it and wants no more. */
export type Verdict = 'next' | 'last' | 'refused'

interface Job {
  next: number
  readonly end: number
  readonly visit: (record: KafkaRecord) => Verdict
  readonly done: () => void
  readonly failed: (cause: unknown) => void
}

export class KafkaReader {
  readonly #port: KafkaPort
  readonly #timeout: number
  #queue: Promise<unknown> = Promise.resolve()
  #reading: Promise<KafkaReading> | undefined
  #job: Job | undefined
  #held: { readonly records: readonly KafkaRecord[]; readonly release: () => void } | undefined
  #closed = false

  constructor(port: KafkaPort, timeout: number) {
    this.#port = port
    this.#timeout = timeout
  }

  /** Joins, so that the first read need not wait for it. */
  prepare(): void {
    this.#join().catch(() => {}) // the first read tries again and tells
  }

  /**
   * Shows the visitor what is held of the offsets from `from` to before `end`, in order, until it wants no more. Rejects when
   * nothing came for too long.
   */
  visit(
    from: number,
    end: number,
    visit: (record: KafkaRecord) => Verdict,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (from >= end) return Promise.resolve()
    const turn = this.#queue.then(async () => {
      signal?.throwIfAborted()
      await this.#work(from, end, visit, signal)
    })
    this.#queue = turn.catch(() => {})
    return bounded(turn, 'Reading from Kafka', 2 * this.#timeout, signal)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#release()
    const reading = this.#reading
    this.#reading = undefined
    await reading
      ?.then((open) => bounded(open.close(), 'Leaving a Kafka consumer group', this.#timeout))
      .catch(() => {})
  }

  async #work(
    next: number,
    end: number,
    visit: Job['visit'],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    let job: Job | undefined
    const done = new Promise<void>((resolve, reject) => {
      job = { next, end, visit, done: resolve, failed: reject }
      this.#job = job
    })
    // It is waited for a few lines below, after the group has been joined.
    done.catch(() => {})
    try {
      const reading = await bounded(this.#join(), 'Joining a Kafka consumer group', this.#timeout, signal)
      const [first] = this.#held?.records ?? []
      const last = this.#held?.records.at(-1)
      if (first && last && first.offset <= next && next <= last.offset) this.#show()
      else {
        reading.seek(next)
        this.#release()
      }
      await bounded(done, 'Reading from Kafka', this.#timeout, signal)
    } finally {
      if (this.#job === job) this.#job = undefined
    }
  }

  #join(): Promise<KafkaReading> {
    if (this.#closed) return Promise.reject(new Error('The Kafka reader is closed.'))
    if (this.#reading) return this.#reading
    const reading = this.#port.consume({
      position: () => this.#job?.next ?? 0,
      records: (records) =>
        new Promise((release) => {
          this.#release() // a group that was joined anew begins again
          if (this.#closed) return release()
          this.#held = { records, release }
          this.#show()
        }),
      failed: (cause) => forget(cause),
    })
    const forget = (cause: unknown) => {
      if (this.#reading !== reading) return
      this.#reading = undefined
      this.#release()
      this.#job?.failed(cause)
    }
    this.#reading = reading
    reading.catch(forget)
    return reading
  }

  #release(): void {
    const held = this.#held
    this.#held = undefined
    held?.release()
  }

  /** Shows what is held to who waits for it. What is not taken stays held. */
  #show(): void {
    const job = this.#job
    if (!job || !this.#held) return
    for (const record of this.#held.records) {
      if (record.offset < job.next) continue
      const verdict = record.offset >= job.end ? 'refused' : job.visit(record)
      if (verdict !== 'refused') job.next = record.offset + 1
      if (verdict !== 'next' || job.next >= job.end) {
        this.#job = undefined
        job.done()
        return
      }
    }
    this.#release()
  }
}

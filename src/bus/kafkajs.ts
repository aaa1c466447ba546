// The Kafka port over kafkajs 2, or a client of the same shape.

import { checkInteger, checkOptions } from '../core/check.ts'
import { SluiceError, shown } from '../core/errors.ts'
import { pause } from './bounded.ts'
import type { KafkaListener, KafkaPort, KafkaReading, KafkaRecord } from './kafka-port.ts'

export interface KafkajsMessage {
  readonly offset: string
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers?: Readonly<Record<string, unknown>> | undefined
}

export interface KafkajsProducer {
  connect(): Promise<void>
  disconnect(): Promise<void>
  send(record: {
    topic: string
    acks: number
    messages: { partition: number; key: string; value: Buffer; headers: Record<string, string> }[]
  }): Promise<readonly { readonly baseOffset?: string }[]>
}

export interface KafkajsConsumer {
  connect(): Promise<void>
  disconnect(): Promise<void>
  subscribe(subscription: { topic: string; fromBeginning: boolean }): Promise<void>
  run(config: {
    autoCommit: boolean
    eachBatch(payload: {
      readonly batch: { readonly partition: number; readonly messages: readonly KafkajsMessage[] }
      heartbeat(): Promise<void>
      /** Whether a seek has been asked for since this batch was fetched. */
      isStale(): boolean
    }): Promise<void>
  }): Promise<void>
  seek(to: { topic: string; partition: number; offset: string }): void
  pause(topics: { topic: string; partitions: number[] }[]): void
  on(
    event: 'consumer.group_join',
    listener: (event: {
      readonly payload: { readonly memberAssignment: Readonly<Record<string, number[]>> }
    }) => void,
  ): unknown
  on(
    event: 'consumer.crash',
    listener: (event: { readonly payload: { readonly error: Error } }) => void,
  ): unknown
}

export interface KafkajsAdmin {
  connect(): Promise<void>
  disconnect(): Promise<void>
  fetchTopicOffsets(
    topic: string,
  ): Promise<readonly { readonly partition: number; readonly high: string; readonly low: string }[]>
  describeCluster(): Promise<{ readonly clusterId: string }>
}

interface Retry {
  readonly retries: number
  readonly initialRetryTime?: number
  readonly restartOnFailure?: () => Promise<boolean>
}

/** `new Kafka({ brokers })` of kafkajs 2. */
export interface Kafkajs {
  producer(config: { allowAutoTopicCreation: boolean; retry: Retry }): KafkajsProducer
  consumer(config: {
    groupId: string
    allowAutoTopicCreation: boolean
    maxWaitTimeInMs: number
    maxBytesPerPartition: number
    retry: Retry
  }): KafkajsConsumer
  admin(config: { retry: Retry }): KafkajsAdmin
}

export interface KafkajsPortOptions {
  readonly kafka: Kafkajs
  readonly topic: string
  /** The one partition that is the log, 0 by default. */
  readonly partition?: number
  /**
   * What the names of the consumer groups begin with, `sluice-` by default. Every reader is a group of its own with a random
   * name and commits nothing; brokers forget such a group when it has left.
   */
  readonly groupPrefix?: string
  /** How long the broker holds a request for more records, in milliseconds; 200 by default. A request for older ones may wait behind it. */
  readonly maxWait?: number
  /** How many bytes one answer holds at most, 1 MiB by default; a larger record is read all the same. */
  readonly fetchBytes?: number
}

const DEDUPE = 'sluice-dedupe'

/** How often a consumer whose records wait for the bus tells the broker that it lives, in milliseconds. */
const HEARTBEAT = 2_000

/** One more attempt, soon: it is the bus that waits longer each time, and it wants to know that something is broken. */
const RETRY: Retry = { retries: 1, initialRetryTime: 100, restartOnFailure: async () => false }

/**
 * A port for `kafkaBus`. It opens a producer, an admin client and consumers of its own, and closes them.
 *
 * Throws `SLUICE_BAD_OPTION`.
 */
export function kafkajsPort(options: KafkajsPortOptions): KafkaPort {
  return new KafkajsPort(options)
}

class KafkajsPort implements KafkaPort {
  readonly #kafka: Kafkajs
  readonly #topic: string
  readonly #partition: number
  readonly #groupPrefix: string
  readonly #maxWait: number
  readonly #fetchBytes: number
  #producer: Promise<KafkajsProducer> | undefined
  #admin: Promise<KafkajsAdmin> | undefined

  constructor(options: KafkajsPortOptions) {
    checkOptions('kafkajsPort', options, [
      'kafka',
      'topic',
      'partition',
      'groupPrefix',
      'maxWait',
      'fetchBytes',
    ])
    const { kafka, topic, groupPrefix = 'sluice-' } = options
    if (typeof kafka?.consumer !== 'function' || typeof kafka.producer !== 'function') {
      throw new SluiceError(
        'SLUICE_BAD_OPTION',
        `kafka is ${shown(kafka)}; it must be new Kafka({ brokers }) of kafkajs 2.`,
      )
    }
    if (typeof topic !== 'string' || !/^[A-Za-z0-9._-]{1,249}$/.test(topic)) {
      throw new SluiceError(
        'SLUICE_BAD_OPTION',
        `topic is ${shown(topic)}; it must be 1 to 249 letters, digits, dots, underscores and hyphens.`,
      )
    }
    if (typeof groupPrefix !== 'string') {
      throw new SluiceError('SLUICE_BAD_OPTION', `groupPrefix is ${shown(groupPrefix)}; it must be a string.`)
    }
    this.#kafka = kafka
    this.#topic = topic
    this.#groupPrefix = groupPrefix
    this.#partition = checkInteger('partition', options.partition ?? 0, 0)
    this.#maxWait = checkInteger('maxWait', options.maxWait ?? 200, 1)
    this.#fetchBytes = checkInteger('fetchBytes', options.fetchBytes ?? 1_048_576, 1)
  }

  async watermarks() {
    const admin = await this.#administering()
    // Each time: behind the same address there may be another cluster now, whose offsets mean something else.
    const [{ clusterId: cluster }, offsets] = await Promise.all([
      admin.describeCluster(),
      admin.fetchTopicOffsets(this.#topic),
    ])
    const found = offsets.find(({ partition }) => partition === this.#partition)
    if (!found) {
      throw new SluiceError(
        'SLUICE_BAD_OPTION',
        `kafkajsPort: the topic ${shown(this.#topic)} has no partition ${this.#partition}; it has ${offsets.length}.`,
      )
    }
    const identity = `${cluster}/${this.#topic}/${this.#partition}`
    return { low: offsetOf(found.low), high: offsetOf(found.high), identity }
  }

  async produce({ key, value, dedupe }: Parameters<KafkaPort['produce']>[0]): Promise<number> {
    const producer = await this.#producing()
    const [stored] = await producer.send({
      topic: this.#topic,
      acks: -1,
      messages: [
        {
          partition: this.#partition,
          key,
          // kafkajs asks for a Buffer, and is a client for Node only.
          value: Buffer.from(value.buffer, value.byteOffset, value.byteLength),
          headers: dedupe === undefined ? {} : { [DEDUPE]: dedupe },
        },
      ],
    })
    return offsetOf(stored?.baseOffset)
  }

  async consume(listener: KafkaListener): Promise<KafkaReading> {
    const topic = this.#topic
    const own = this.#partition
    const consumer = this.#kafka.consumer({
      groupId: this.#groupPrefix + crypto.randomUUID(),
      allowAutoTopicCreation: false,
      maxWaitTimeInMs: this.#maxWait,
      maxBytesPerPartition: this.#fetchBytes,
      retry: RETRY,
    })
    const seek = (offset: number) => consumer.seek({ topic, partition: own, offset: String(offset) })
    let joined = false
    let ended = false
    let crash: unknown
    consumer.on('consumer.group_join', ({ payload }) => {
      joined = true
      const others = (payload.memberAssignment[topic] ?? []).filter((partition) => partition !== own)
      if (others.length > 0) consumer.pause([{ topic, partitions: others }])
      // Nothing is committed, so each join would begin at the oldest record, or where nobody knows.
      seek(listener.position())
    })
    consumer.on('consumer.crash', ({ payload }) => {
      crash = payload.error
      if (ended || !joined) return
      ended = true
      listener.failed(payload.error)
    })
    try {
      await consumer.connect()
      await consumer.subscribe({ topic, fromBeginning: true })
      await consumer.run({
        autoCommit: false,
        eachBatch: async ({ batch, heartbeat, isStale }) => {
          if (batch.partition !== own || ended || isStale()) return
          const settled = new AbortController()
          void listener.records(batch.messages.map(recordOf)).finally(() => settled.abort())
          while (!settled.signal.aborted) {
            await pause(HEARTBEAT, settled.signal)
            if (!settled.signal.aborted) await heartbeat()
          }
        },
      })
      // kafkajs resolves `run` also when it has crashed.
      if (crash !== undefined) throw crash
    } catch (error) {
      ended = true
      consumer.disconnect().catch(() => {})
      throw error
    }
    return {
      seek(offset) {
        if (!ended) seek(offset)
      },
      async close() {
        ended = true
        await consumer.disconnect()
      },
    }
  }

  async close(): Promise<void> {
    const [producer, admin] = await Promise.allSettled([this.#producer, this.#admin])
    await Promise.allSettled(
      [producer, admin].map((one) => (one.status === 'fulfilled' ? one.value?.disconnect() : undefined)),
    )
  }

  #producing(): Promise<KafkajsProducer> {
    this.#producer ??= connected(
      this.#kafka.producer({ allowAutoTopicCreation: false, retry: { retries: 0 } }),
    ).catch((error: unknown) => {
      this.#producer = undefined
      throw error
    })
    return this.#producer
  }

  #administering(): Promise<KafkajsAdmin> {
    this.#admin ??= connected(this.#kafka.admin({ retry: { retries: 1, initialRetryTime: 100 } })).catch(
      (error: unknown) => {
        this.#admin = undefined
        throw error
      },
    )
    return this.#admin
  }
}

async function connected<Client extends { connect(): Promise<void> }>(client: Client): Promise<Client> {
  await client.connect()
  return client
}

function recordOf({ offset, key, value, headers }: KafkajsMessage): KafkaRecord {
  const dedupe = headers?.[DEDUPE]
  return {
    offset: offsetOf(offset),
    key: key ? new TextDecoder().decode(key) : '',
    value: value ?? new Uint8Array(),
    dedupe: dedupe instanceof Uint8Array ? new TextDecoder().decode(dedupe) : undefined,
  }
}

/** Offsets are 64-bit numbers in strings; nine thousand million million records are more than a partition ever sees. */
function offsetOf(text: string | undefined): number {
  const offset = Number(text)
  if (text === undefined || !Number.isSafeInteger(offset) || offset < 0) {
    throw new Error(`Kafka gave ${shown(text)} for an offset.`)
  }
  return offset
}

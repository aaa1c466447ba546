// What the Kafka bus asks of a client, and nothing more: of one partition of one topic, the two watermarks, producing and
// reading in order. `kafkajsPort` makes one of kafkajs; another client needs these few functions.

export interface KafkaRecord {
  /** A safe integer. */
  readonly offset: number
  readonly key: string
  readonly value: Uint8Array
  /** The header `sluice-dedupe`, if there is one. */
  readonly dedupe: string | undefined
}

export interface KafkaListener {
  /** The offset to go on from, asked at first and each time the client has to begin again. */
  position(): number
  /** Records in the order of offsets. No more are given until the promise settles; it never rejects. */
  records(records: readonly KafkaRecord[]): Promise<void>
  /** Reading has broken and will not go on. Told once, and never after `close` was called. */
  failed(cause: unknown): void
}

export interface KafkaReading {
  /** Goes on at another offset; what has been fetched from elsewhere is not given any more. */
  seek(offset: number): void
  close(): Promise<void>
}

export interface KafkaPort {
  /**
   * Offsets of the oldest record held and of the next record to come, and what names this partition and its cluster among
   * all others; `undefined` if the client cannot tell.
   */
  watermarks(): Promise<{
    readonly low: number
    readonly high: number
    readonly identity: string | undefined
  }>
  /** Resolves to the offset once all in-sync replicas have the record. Tries once: the bus knows what a repeat is. */
  produce(record: {
    readonly key: string
    readonly value: Uint8Array
    readonly dedupe: string | undefined
  }): Promise<number>
  /** Resolves once reading goes on from `position()`, or rejects. An offset that is no longer held means the oldest. */
  consume(listener: KafkaListener): Promise<KafkaReading>
  /** Ends what the port has opened. */
  close(): Promise<void>
}

// What the NATS bus needs of the application's own client: the shapes of @nats-io/nats-core and @nats-io/jetstream 3,
// as few members as will do, so that Sluice depends on neither.

export interface NatsMessage {
  readonly subject: string
  readonly data: Uint8Array
  readonly headers?: { get(name: string): string } | undefined
}

export interface NatsSubscription {
  unsubscribe(): void
}

/** A connection, as `connect()` of @nats-io/transport-node gives it. */
export interface NatsConnection {
  subscribe(
    subject: string,
    options: { callback(error: Error | null, message: NatsMessage): void },
  ): NatsSubscription
  flush(): Promise<void>
  status(): AsyncIterable<{ readonly type: string }>
  isClosed(): boolean
}

/** A JetStream client, as `jetstream(connection)` of @nats-io/jetstream gives it. */
export interface NatsJetStream {
  publish(
    subject: string,
    body: Uint8Array,
    options: { msgID?: string; timeout: number; expect: { streamName: string } },
  ): Promise<{ readonly seq: number; readonly duplicate: boolean }>
  jetstreamManager(checkApi: boolean): Promise<NatsManager>
}

export interface NatsManager {
  readonly streams: NatsStreams
}

export interface NatsStreams {
  info(stream: string): Promise<NatsStreamInfo>
  add(config: NatsStreamConfig): Promise<NatsStreamInfo>
  update(stream: string, config: { description: string }): Promise<NatsStreamInfo>
  /** `null` where nothing is stored under that sequence number (or, with `next_by_subj`, from there on). */
  getMessage(
    stream: string,
    query: { seq: number; next_by_subj?: string },
  ): Promise<{ readonly subject: string; readonly seq: number; readonly data: Uint8Array } | null>
}

/** The part of a stream's configuration that concerns a bus; times in nanoseconds. */
export interface NatsStreamConfig {
  name: string
  description?: string
  subjects: string[]
  retention: 'limits'
  storage: 'file'
  discard: 'old'
  num_replicas: number
  max_msgs: number
  max_bytes: number
  max_age: number
  duplicate_window: number
  republish: { src: string; dest: string }
}

export interface NatsStreamInfo {
  /** When the stream was created, RFC 3339 with up to nine digits of a second. */
  readonly created: string
  readonly config: {
    readonly description?: string
    readonly subjects?: readonly string[]
    readonly retention: string
    readonly storage: string
    readonly discard: string
    readonly num_replicas: number
    readonly max_msgs_per_subject?: number
    readonly no_ack?: boolean
    readonly republish?: { readonly src?: string; readonly dest: string; readonly headers_only?: boolean }
  }
  readonly state: {
    readonly messages: number
    readonly bytes: number
    readonly first_seq: number
    readonly last_seq: number
  }
}

// What is told of one open connection, for whoever asks which client is slow.

/** How far a connection is behind what was published to its channels and is still kept. */
export interface Lag {
  events: number
  /** Encoded bytes of those events. */
  bytes: number
}

/** One open connection as `hub.connections()` shows it: a snapshot that belongs to its caller. Durations are milliseconds. */
export interface ConnectionInfo {
  id: string
  /** What `limits.connectionsPerKey` counts it by: its address, or what `connect` was given. */
  key: string | undefined
  /** What `connect` was given. */
  label: string | undefined
  channels: string[]
  variant: string | undefined
  /** The last event ID it came with; `''` for none. */
  lastEventId: string
  /** `ready`: everything written was taken. `blocked`: a write waits for the client to read. `ending`: it is being closed. */
  state: 'ready' | 'blocked' | 'ending' | 'closed'
  /** Since it was opened. */
  age: number
  /** Since the last write. */
  silence: number
  lag: Lag
  /** Encoded bytes held for it that the transport has not taken. */
  bufferedBytes: number
  /** Events, and bytes of event stream, written to it so far. */
  events: number
  bytes: number
}

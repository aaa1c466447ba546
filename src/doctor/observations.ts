// What a probe saw, as plain data: the rules read nothing else, and know nothing of sockets.
// Times are milliseconds since the exchange's request was begun (`performance.now()`), unless said otherwise.

/** Everything. A step that was not taken (or was interrupted before it told anything) is absent. */
export interface Observations {
  readonly url: string
  readonly secure: boolean
  /** How long the stream was to be watched, in milliseconds. */
  readonly wait: number
  readonly sentLastEventId: string | undefined
  /** Whether the user's headers carry credentials (cookies or authorization). */
  readonly credentials: boolean
  readonly origin: string | undefined
  readonly insecure: boolean
  /** Whether the user refused HTTP/2. */
  readonly http1: boolean
  readonly redirects: readonly Redirect[]
  /** The stream that was watched. */
  readonly main: Exchange
  /** The same without Accept-Encoding, opened beside it when it was compressed or said nothing. */
  readonly plain?: Exchange
  /** The same, asked to go on after an id that the main stream gave. */
  readonly resume?: Resume
  /** Asked to go on after an id that nobody gave, and after one that is malformed and long. */
  readonly unknownId?: Exchange
  readonly hostileId?: Exchange
  readonly preflight?: Exchange
  readonly seven?: Seven
  /** Ended by the user before it was done. */
  readonly interrupted: boolean
}

export interface Redirect {
  readonly status: number
  readonly from: string
  /** The `Location` as it came. */
  readonly location: string | undefined
  /** Where it led, if it was followed. */
  readonly to: string | undefined
  readonly why?: 'no-location' | 'bad-location' | 'insecure' | 'too-many' | 'too-slow'
}

export interface Resume {
  /** The id that was sent. */
  readonly id: string
  /** The ids of the events that the main stream gave after it: what must come again. */
  readonly missed: readonly string[]
  /** The ids of the main stream up to it, itself included: what must not. */
  readonly before: readonly string[]
  readonly exchange: Exchange
}

/** Several requests at once over HTTP/1.1. */
export interface Seven {
  readonly asked: number
  /** The answers that came while all were held open: statuses. */
  readonly statuses: readonly number[]
  /** Error codes of those that failed. */
  readonly failures: readonly string[]
  /** How many had no answer when the time was up. */
  readonly unanswered: number
  /** How long was waited, in milliseconds. */
  readonly waited: number
}

/** One request and what came of it. */
export interface Exchange {
  readonly url: string
  /** TCP (and TLS) was established. */
  readonly connectedAt: number | undefined
  /** The request had been handed to the kernel. */
  readonly sentAt: number | undefined
  /** What could not be done, by its code (`ECONNREFUSED`, `HPE_HEADER_OVERFLOW`); before there was a response. */
  readonly failure: Failure | undefined
  readonly response: ResponseSeen | undefined
  readonly body: StreamSeen | undefined
  /** How the response ended; absent while it was open. */
  readonly end: EndSeen | undefined
  /** When the watching ended, whoever ended it. */
  readonly watchedUntil: number
  /** The certificate's fault, when `--insecure` let it pass. */
  readonly certificate: string | undefined
}

export interface Failure {
  readonly code: string
  readonly message: string
  readonly during: 'connect' | 'tls' | 'response'
}

export interface ResponseSeen {
  readonly at: number
  readonly status: number
  /** `'1.0'`, `'1.1'` or `'2.0'`. */
  readonly httpVersion: string
  /** Lower-case names; repeated ones joined with a comma. */
  readonly headers: Readonly<Record<string, string>>
  /** How the body's end is marked. */
  readonly framing: 'chunked' | 'length' | 'close' | 'h2'
  /** HTTP/2: streams at once that the server allows, if it says. */
  readonly maxConcurrentStreams: number | undefined
}

export interface EndSeen {
  readonly at: number
  readonly how: EndKind
  /** HTTP/2's error code, or the system's. */
  readonly code: string | undefined
}

export type EndKind =
  /** The body is complete: the last chunk, the promised length, END_STREAM. */
  | 'complete'
  /** FIN, where the body is delimited by the connection's end: complete or cut, it cannot be told. */
  | 'fin'
  /** FIN in the middle of a chunked body or short of the promised length. */
  | 'truncated'
  /** RST of the TCP connection. */
  | 'reset'
  /** HTTP/2: RST_STREAM, or the session was closed under the stream. */
  | 'h2-reset'

/** What the body was like. */
export interface StreamSeen {
  /** As they came over the wire (content-coded, but not chunk-coded). */
  readonly wireBytes: number
  readonly bytes: number
  readonly firstWireByteAt: number | undefined
  readonly lastWireByteAt: number | undefined
  readonly firstByteAt: number | undefined
  /** The first of the body, for a body that is no event stream. */
  readonly beginning: string
  /** Complete blocks, the first `MAX_BLOCKS` of them in full. */
  readonly blockCount: number
  readonly blocks: readonly BlockSeen[]
  /** Events that fired. */
  readonly events: number
  readonly retries: readonly string[]
  readonly lineEnds: { readonly lf: number; readonly crlf: number; readonly cr: number }
  readonly bom: boolean
  readonly nulIds: number
  /** Field names that no EventSource knows, the first few. */
  readonly unknownFields: readonly string[]
  readonly unknownFieldCount: number
  /** Blocks that name an event and have no data: nothing fires. */
  readonly datalessEvents: number
  readonly badUtf8: boolean
  /** Bytes after the last complete block. */
  readonly unfinishedBytes: number
  /** Why it was no longer read. */
  readonly stopped: 'flood' | 'overflow' | 'bad-compression' | undefined
}

export interface BlockSeen {
  /** When its first byte came, and its last. */
  readonly begunAt: number
  readonly at: number
  readonly bytes: number
  readonly fired: boolean
  /** Only comments, or an event that is a heartbeat by its name. */
  readonly heartbeat: boolean
  /** The event's name, where data fired one. */
  readonly event: string | undefined
  /** Its own id, if it set one. */
  readonly id: string | undefined
  /** A time found in its id or data, as milliseconds since the epoch. */
  readonly stamp: number | undefined
}

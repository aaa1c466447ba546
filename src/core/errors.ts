// The one error class. Every misuse by the caller and every failure of a client ends here, with a stable code that
// programs may test and a message that people can act on. It knows nothing of the rest of the core.

/**
 * The stable codes, each with the rule behind it. `docs/errors.md` is held against this table by a test.
 */
export const ERROR_CODES = {
  SLUICE_BAD_OPTION: 'An option has a value outside its documented range or type.',
  SLUICE_BAD_CHANNEL:
    'A channel name is not a string of 1 to 256 characters without control characters and lone surrogates.',
  SLUICE_BAD_EVENT: 'An event is not an object with at least one of event, data, id, retry, comment.',
  SLUICE_BAD_EVENT_NAME: 'An event name is not a string, or holds CR or LF, which would end its line.',
  SLUICE_BAD_ID:
    'An id is not a string, or holds a control character, outer spaces, or more than 128 bytes of UTF-8.',
  SLUICE_BAD_RETRY: 'A reconnection time is not a safe integer of 0 or more milliseconds.',
  SLUICE_BAD_COMMENT: 'A comment is not a string.',
  SLUICE_BAD_KEY: 'A conflation key is not a string.',
  SLUICE_UNSERIALIZABLE: 'The serializer threw, or did not return a string.',
  SLUICE_EVENT_TOO_LARGE: 'An encoded event is larger than maxEventBytes.',
  SLUICE_RESERVED_ID: 'An id of the publisher has the form of the ids that this hub mints.',
  SLUICE_DECODER_OVERFLOW: 'A decoder was given a line or event longer than maxBufferBytes.',
  SLUICE_DECODER_CLOSED: 'A decoder was written to after end() or after an overflow.',
  SLUICE_HEADERS_SENT: 'The response had already sent its headers when connect() was called.',
  SLUICE_RESPONSE_ENDED: 'The response had already ended when connect() was called.',
  SLUICE_BAD_REQUEST: 'What was given as a request is none of the kind that the method takes.',
  SLUICE_BAD_HEADER: 'A header name or value cannot be sent over HTTP.',
  SLUICE_CHANNEL_ENDED: 'The channel has ended; it takes no more events until its history has expired.',
  SLUICE_HUB_CLOSED: 'The hub is closed or closing; it takes no more events.',
  SLUICE_BAD_SOURCE: 'A source to pipe is neither an async iterable, an iterable, nor a ReadableStream.',
  SLUICE_TOO_MANY_CHANNELS: 'A connection reads as many channels as limits.channelsPerConnection allows.',
  SLUICE_BUS_UNAVAILABLE: 'The bus did not take an event in time, or has not answered for a while.',
  SLUICE_CONNECTION_CLOSED: 'The connection has closed, so its channels can no longer be changed.',
  SLUICE_REFUSED: 'The server answered a client with a status that opens no stream.',
  SLUICE_NOT_EVENT_STREAM:
    'The server answered a client with 200 and a Content-Type other than text/event-stream.',
  SLUICE_UNPARSABLE:
    'The data of an event that a client received could not be parsed as its option parse says.',
  SLUICE_CONNECT_TIMEOUT: 'The server did not answer a client within connectTimeout.',
  SLUICE_SILENT: 'Nothing arrived at a client for silence, not even a heartbeat.',
  SLUICE_NETWORK: "A client's request or its stream failed on the way.",
  SLUICE_STREAM_ENDED: 'The server ended the stream of a client.',
  SLUICE_RETRIES_EXHAUSTED: 'A client failed more than maxRetries times in a row.',
} as const

export type ErrorCode = keyof typeof ERROR_CODES

/**
 * What every misuse of Sluice throws (or rejects with), and what a client whose stream fails is told.
 *
 * `code` is stable over releases; the message names what was given, the rule, and the cure, and may be reworded.
 */
export class SluiceError extends Error {
  override readonly name = 'SluiceError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** How a value is named in a message: short, on one line, and never the whole of something large. */
export function shown(value: unknown): string {
  if (typeof value === 'string') {
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  }
  if (typeof value === 'function') return 'a function'
  if (value === null || typeof value !== 'object') return String(value)
  return Array.isArray(value) ? `an array of ${value.length}` : 'an object'
}

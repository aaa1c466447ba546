// An event to the bytes of text/event-stream (HTML, section 9.2.5). It checks what would break a stream or inject into
// one, and knows nothing of channels, positions or connections.

import { SluiceError, shown } from '../errors.ts'

/** An event, as applications give it. At least one field besides `key` must be there. */
export interface EventInput {
  /** The event's name, for `addEventListener`; without one, or empty, it is a `message`. No CR or LF. */
  event?: string | undefined
  /** A string goes as it is; anything else is serialised (JSON by default). Without data a browser fires nothing; `''` fires. */
  data?: unknown
  /**
   * The id that becomes the client's last event ID; `''` resets it. At most 128 bytes of UTF-8, no control characters, no
   * space at either end. Channels mint one when it is left out.
   */
  id?: string | undefined
  /** The reconnection time the client shall use from now on, in milliseconds. */
  retry?: number | undefined
  /** Text that no client dispatches, before the rest of the event. May have several lines. */
  comment?: string | undefined
  /** What the event is about, for channels that conflate; never sent. */
  key?: string | undefined
}

export interface EncodeOptions {
  /** Turns data that is not a string into one. Default `JSON.stringify`. */
  serialize?: (data: unknown) => string
  /** The largest encoded event, in bytes. Default 1_048_576. */
  maxEventBytes?: number
}

/** An event whose data was serialised. */
export interface TextFields {
  readonly event?: string | undefined
  readonly id?: string | undefined
  readonly data?: string | undefined
  readonly retry?: number | undefined
  readonly comment?: string | undefined
}

/** One mebibyte is far beyond what a stream should carry in one event, and small enough that a mistake is cheap. */
export const ENCODE_DEFAULTS = Object.freeze({ maxEventBytes: 1_048_576 })

const MAX_ID_BYTES = 128
const UTF8 = new TextEncoder()

/** The three line ends of the specification, and no other: U+2028, U+2029 and U+0085 are ordinary characters. */
const LINE_END = /\r\n|\r|\n/
const CR_OR_LF = /[\r\n]/
/** C0 controls, DEL and C1 controls. */
const CONTROL = /\p{Cc}/u
const OUTER_SPACE = /^\s|\s$/u

/**
 * The bytes of one event, as whole blocks: `encode(a)` followed by `encode(b)` is a stream of both.
 *
 * @example
 * encode({ event: 'tick', data: { btc: 64000 } })
 * // event: tick
 * // data: {"btc":64000}
 * //
 *
 * @throws {SluiceError} SLUICE_BAD_EVENT, SLUICE_BAD_EVENT_NAME, SLUICE_BAD_ID, SLUICE_BAD_RETRY, SLUICE_BAD_COMMENT,
 *   SLUICE_UNSERIALIZABLE, SLUICE_EVENT_TOO_LARGE
 */
export function encode(event: EventInput, options: EncodeOptions = {}): Uint8Array {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) {
    throw new SluiceError(
      'SLUICE_BAD_EVENT',
      `${shown(event)} is not an event; pass an object such as { data: … }.`,
    )
  }
  const { event: name, id, data, retry, comment } = event
  const { serialize, maxEventBytes } = options
  return encodeText({ event: name, id, data: serializeData(data, serialize), retry, comment }, maxEventBytes)
}

/** The text of `data`; `undefined` for none. @throws {SluiceError} SLUICE_UNSERIALIZABLE */
export function serializeData(
  data: unknown,
  serialize: (data: unknown) => string = JSON.stringify,
): string | undefined {
  if (data === undefined || typeof data === 'string') return data
  let text: unknown
  try {
    text = serialize(data)
  } catch (cause) {
    throw new SluiceError(
      'SLUICE_UNSERIALIZABLE',
      `The serializer threw on ${shown(data)} as data; pass what it can serialise, or a string.`,
      { cause },
    )
  }
  if (typeof text !== 'string') {
    throw new SluiceError(
      'SLUICE_UNSERIALIZABLE',
      `The serializer made ${shown(text)} of ${shown(data)}; data must serialise to a string (for an event without data leave it out).`,
    )
  }
  return text
}

/** The bytes of an event whose data is text already. @throws {SluiceError} as `encode` */
export function encodeText(
  { event, id, data, retry, comment }: TextFields,
  maxEventBytes: number = ENCODE_DEFAULTS.maxEventBytes,
): Uint8Array {
  // Before the text is taken apart: each UTF-16 code unit of data becomes at least one byte.
  if (data !== undefined && data.length > maxEventBytes) throw tooLarge(data.length, maxEventBytes)
  let block = ''
  if (comment !== undefined) block += lines(':', checkComment(comment))
  // An empty name is the default name (HTML 9.2.6, dispatch: "if the event type buffer is a value other than the empty string").
  if (event !== undefined && checkEventName(event) !== '') block += `event: ${event}\n`
  if (id !== undefined) block += `id: ${checkId(id)}\n`
  if (data !== undefined) block += CR_OR_LF.test(data) ? lines('data:', data) : `data: ${data}\n`
  // In a block of its own, so that a decoder that drops an event still has the reconnection time.
  const text = `${retry === undefined ? '' : `retry: ${checkRetry(retry)}\n\n`}${block === '' ? '' : `${block}\n`}`
  if (text === '') {
    throw new SluiceError(
      'SLUICE_BAD_EVENT',
      'The event is empty; give it at least one of event, data, id, retry, comment.',
    )
  }
  // A lone surrogate becomes U+FFFD here (Encoding, "UTF-8 encoder").
  const bytes = UTF8.encode(text)
  if (bytes.length > maxEventBytes) throw tooLarge(bytes.length, maxEventBytes)
  return bytes
}

/** Always a space after the colon, for the decoder takes one away and a value's own must survive. */
function lines(field: ':' | 'data:', text: string): string {
  return `${field} ${text.split(LINE_END).join(`\n${field} `)}\n`
}

function checkEventName(event: unknown): string {
  if (typeof event === 'string' && !CR_OR_LF.test(event)) return event
  throw new SluiceError(
    'SLUICE_BAD_EVENT_NAME',
    `event is ${shown(event)}; it must be a string without CR or LF, which would end its line.`,
  )
}

function checkId(id: unknown): string {
  if (typeof id !== 'string' || CONTROL.test(id) || OUTER_SPACE.test(id) || tooLong(id)) {
    throw new SluiceError(
      'SLUICE_BAD_ID',
      `id is ${shown(id)}; it must be a string of at most ${MAX_ID_BYTES} bytes of UTF-8 without control characters or outer spaces, or it would not come back in Last-Event-ID as it was.`,
    )
  }
  return id
}

function tooLong(id: string): boolean {
  return id.length > MAX_ID_BYTES || (id.length * 3 > MAX_ID_BYTES && UTF8.encode(id).length > MAX_ID_BYTES)
}

function checkRetry(retry: unknown): number {
  if (Number.isSafeInteger(retry) && (retry as number) >= 0) return retry as number // tested just here
  throw new SluiceError(
    'SLUICE_BAD_RETRY',
    `retry is ${shown(retry)}; it must be a whole number of milliseconds, 0 or more.`,
  )
}

function checkComment(comment: unknown): string {
  if (typeof comment === 'string') return comment
  throw new SluiceError('SLUICE_BAD_COMMENT', `comment is ${shown(comment)}; it must be a string.`)
}

function tooLarge(size: number, maxEventBytes: number): SluiceError {
  return new SluiceError(
    'SLUICE_EVENT_TOO_LARGE',
    `The event takes at least ${size} bytes; maxEventBytes is ${maxEventBytes}. Send a reference to it, or raise the limit.`,
  )
}

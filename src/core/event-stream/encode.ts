// One event into the bytes of its blocks: what a server writes, so that every parser reads back what was meant.
// It knows the format (HTML 9.2.5) and nothing of channels, positions, or how bytes leave.

import { checkFunction, checkInteger, checkOptions } from '../check.ts'
import { SluiceError, shown } from '../errors.ts'

/** What an application gives to send: at least one of `event`, `data`, `id`, `retry` and `comment`. */
export interface EventInput {
  /** The event's name, without CR or LF; it fires as `message` when absent or empty. */
  event?: string | undefined
  /**
   * A string goes as it is (each kind of line end arrives as LF), anything else through `serialize`. `''` fires an
   * event with empty data; absent or `undefined` fires none, and only the other fields take effect.
   */
  data?: unknown
  /**
   * The client's last event ID from here on; `''` resets it. At most 128 bytes of UTF-8 without control characters or
   * outer spaces, because it comes back in a request header.
   */
  id?: string | undefined
  /** The reconnection time from here on, in milliseconds: a safe integer of 0 or more. */
  retry?: number | undefined
  /** Text that every parser skips; each of its lines becomes a comment line. */
  comment?: string | undefined
  /** What a channel conflates by: of two events with one key the newer stands for both. Never on the wire. */
  key?: string | undefined
}

/** An event whose data has been serialised: what `encodeText` puts on the wire. */
export interface EventText {
  event?: string | undefined
  data?: string | undefined
  id?: string | undefined
  retry?: number | undefined
  comment?: string | undefined
}

export interface EncodeOptions {
  /** Turns data that is not a string into one. Default `JSON.stringify`. */
  serialize?: ((data: unknown) => string) | undefined
  /** The most bytes that one encoded event may have. Default 1_048_576. */
  maxEventBytes?: number | undefined
}

export const ENCODE_DEFAULTS: Readonly<{
  serialize: (data: unknown) => string
  maxEventBytes: number
}> = Object.freeze({
  serialize: JSON.stringify,
  /** Far above what belongs in an event, far below what would hold a connection up for seconds. */
  maxEventBytes: 1_048_576,
})

const MAX_ID_BYTES = 128
/** No UTF-16 code unit takes more than three bytes of UTF-8, so an id of so few needs no counting. */
const SURELY_SHORT_ID = Math.floor(MAX_ID_BYTES / 3)

/** HTML 9.2.5: end-of-line = ( cr lf / cr / lf ). Nothing else ends a line, U+0085 and U+2028 least of all. */
const LINE_END = /\r\n|\r|\n/
const EVERY_LINE_END = new RegExp(LINE_END, 'g')
const CONTROL = /\p{Cc}/u
const LONE_SURROGATE = /\p{Cs}/gu

const encoder = new TextEncoder()

/**
 * The bytes of one event: complete blocks of a `text/event-stream`, ready to be written.
 *
 *     encode({ event: 'tick', data: { btc: 64000 }, id: '7' })
 *     // event: tick␊id: 7␊data: {"btc":64000}␊␊
 *
 * @throws {SluiceError} SLUICE_BAD_EVENT, SLUICE_BAD_EVENT_NAME, SLUICE_BAD_ID, SLUICE_BAD_RETRY, SLUICE_BAD_COMMENT or
 *   SLUICE_BAD_KEY for a field that breaks its rule; SLUICE_UNSERIALIZABLE; SLUICE_EVENT_TOO_LARGE; SLUICE_BAD_OPTION
 */
export function encode(event: EventInput, options?: EncodeOptions): Uint8Array {
  let { serialize, maxEventBytes } = ENCODE_DEFAULTS
  if (options !== undefined) {
    checkOptions('encode', options, ['serialize', 'maxEventBytes'])
    serialize = checkFunction('serialize', options.serialize ?? serialize)
    maxEventBytes = checkInteger('maxEventBytes', options.maxEventBytes ?? maxEventBytes, 1)
  }
  const { event: name, data, id, retry, comment } = checkEvent(event)
  return encodeText({ event: name, data: serializeData(data, serialize), id, retry, comment }, maxEventBytes)
}

/**
 * Whether this is an event at all; what its fields hold is checked by `encodeText`.
 *
 * @throws {SluiceError} SLUICE_BAD_EVENT, SLUICE_BAD_KEY
 */
export function checkEvent(event: EventInput): EventInput {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) {
    throw new SluiceError('SLUICE_BAD_EVENT', `${shown(event)} is not an event; pass { data: … }.`)
  }
  const { key } = event
  if (key !== undefined && typeof key !== 'string') {
    throw new SluiceError('SLUICE_BAD_KEY', `The key is ${shown(key)}; it must be a string, or left out.`)
  }
  return event
}

/**
 * The data as it goes on the wire; `undefined` for no data.
 *
 * @throws {SluiceError} SLUICE_UNSERIALIZABLE, with what the serializer threw as its cause
 */
export function serializeData(
  data: unknown,
  serialize: (data: unknown) => string = ENCODE_DEFAULTS.serialize,
): string | undefined {
  if (data === undefined || typeof data === 'string') return data
  let text: unknown
  try {
    text = serialize(data)
  } catch (cause) {
    throw new SluiceError(
      'SLUICE_UNSERIALIZABLE',
      `The serializer threw for the data (${shown(data)}); give data that it can take, or a serialize of your own.`,
      { cause },
    )
  }
  if (typeof text !== 'string') {
    throw new SluiceError(
      'SLUICE_UNSERIALIZABLE',
      `The serializer returned ${shown(text)} for the data (${shown(data)}); it must return a string.`,
    )
  }
  return text
}

/**
 * `encode` for an event whose data has been serialised already, so that many encodings can share one serialisation.
 *
 * @throws {SluiceError} as `encode`, for all but the data's serialisation
 */
export function encodeText(
  fields: EventText,
  maxEventBytes: number = ENCODE_DEFAULTS.maxEventBytes,
): Uint8Array {
  const { event, data, id, retry, comment } = fields

  // Nothing is copied before this: what cannot fit is refused at no more than the price of its length.
  const length = (event?.length ?? 0) + (data?.length ?? 0) + (id?.length ?? 0) + (comment?.length ?? 0)
  if (length > maxEventBytes) throw tooLarge(length, maxEventBytes)

  let block = comment === undefined ? '' : commentLines(comment)
  // HTML 9.2.6: an empty event type fires as "message", as no event type does.
  if (event !== undefined && checkEventName(event) !== '') block += `event: ${event}\n`
  if (id !== undefined) block += `id: ${checkId(id)}\n`
  // Always with the space: the parser takes one off (HTML 9.2.6), and that must not be the data's own.
  if (data !== undefined) block += `data: ${splitByField(data)}\n`
  if (block !== '') block += '\n'
  // In a block of its own and first, so that it takes effect even where what follows is cut off.
  if (retry !== undefined) block = `retry: ${checkRetry(retry)}\n\n${block}`

  if (block === '') {
    throw new SluiceError(
      'SLUICE_BAD_EVENT',
      'The event has nothing to send; give it at least one of event, data, id, retry, comment.',
    )
  }
  if (block.length > maxEventBytes) throw tooLarge(block.length, maxEventBytes)
  // A lone surrogate becomes U+FFFD here (Encoding, "convert to scalar values").
  const bytes = encoder.encode(block)
  if (bytes.length > maxEventBytes) throw tooLarge(bytes.length, maxEventBytes)
  return bytes
}

/** @throws {SluiceError} SLUICE_BAD_EVENT_NAME */
export function checkEventName(name: string): string {
  if (typeof name !== 'string' || hasLineEnd(name)) {
    throw new SluiceError(
      'SLUICE_BAD_EVENT_NAME',
      `The event name is ${shown(name)}; it must be a string without CR or LF, which would end its line.`,
    )
  }
  return name
}

/**
 * The id as the client will bring it back, which is as it was given but for lone surrogates. It comes back in the `Last-Event-ID` header, where a control character
 * is an error, outer spaces are trimmed (RFC 9110, 5.5), and more than 128 bytes make a browser ask for CORS preflight
 * (Fetch, "CORS-safelisted request-header"); NUL would make the parser ignore it (HTML 9.2.6).
 *
 * @throws {SluiceError} SLUICE_BAD_ID
 */
export function checkId(id: string): string {
  let fault: string | undefined
  if (typeof id !== 'string') fault = 'must be a string'
  else if (CONTROL.test(id)) fault = 'must hold no control character'
  else if (id.startsWith(' ') || id.endsWith(' ')) fault = 'must not begin or end with a space'
  else if (isLong(id)) fault = `must have at most ${MAX_ID_BYTES} bytes of UTF-8`
  if (fault !== undefined) throw new SluiceError('SLUICE_BAD_ID', `The id is ${shown(id)}; it ${fault}.`)
  return id.replace(LONE_SURROGATE, '\uFFFD')
}

function isLong(id: string): boolean {
  if (id.length <= SURELY_SHORT_ID) return false
  return id.length > MAX_ID_BYTES || encoder.encode(id).length > MAX_ID_BYTES
}

function checkRetry(retry: number): number {
  if (!Number.isSafeInteger(retry) || retry < 0) {
    throw new SluiceError(
      'SLUICE_BAD_RETRY',
      `The retry is ${shown(retry)}; it must be a safe integer of 0 or more milliseconds.`,
    )
  }
  return retry
}

function commentLines(comment: string): string {
  if (typeof comment !== 'string') {
    throw new SluiceError('SLUICE_BAD_COMMENT', `The comment is ${shown(comment)}; it must be a string.`)
  }
  let lines = ''
  for (const line of comment.split(LINE_END)) lines += line === '' ? ':\n' : `: ${line}\n`
  return lines
}

/** One pass and no array of lines; most data has a single line and is not touched at all. */
function splitByField(data: string): string {
  return hasLineEnd(data) ? data.replace(EVERY_LINE_END, '\ndata: ') : data
}

function hasLineEnd(text: string): boolean {
  return text.includes('\n') || text.includes('\r')
}

function tooLarge(least: number, maxEventBytes: number): SluiceError {
  return new SluiceError(
    'SLUICE_EVENT_TOO_LARGE',
    `The event takes ${least} bytes or more and maxEventBytes is ${maxEventBytes}; send less, or raise maxEventBytes.`,
  )
}

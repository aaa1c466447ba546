// Bytes of an event stream into events, to the letter of HTML 9.2.5 and 9.2.6, under any split of the bytes.
// It knows the format and nothing of connections: reconnecting, and what to do with an event, are its user's.

import { checkFunction, checkInteger, checkOptions } from '../check.ts'
import { SluiceError, shown } from '../errors.ts'

/** An event as it fires at an `EventSource`. */
export interface DecodedEvent {
  /** The event's name; `'message'` where the stream gave none. */
  readonly event: string
  readonly data: string
  /** The last event ID at this event: its own, or the latest one before it. */
  readonly lastEventId: string
}

export interface DecoderOptions {
  /** Called for every valid `retry` field, when its line has ended, with the reconnection time in milliseconds. */
  onRetry?: ((ms: number) => void) | undefined
  /** Called for every comment line, with its text (after the colon and one space). */
  onComment?: ((text: string) => void) | undefined
  /**
   * The most that a line and the data gathered for its event may come to, in UTF-16 code units of decoded text: for
   * ASCII that is bytes, for anything else fewer than its bytes of UTF-8. Default 16_777_216.
   */
  maxBufferBytes?: number | undefined
  /** The last event ID of an earlier connection that this stream continues. Default `''`. */
  lastEventId?: string | undefined
}

export interface Decoder {
  /**
   * Decodes the next bytes. Every event that they complete has been handed to `onEvent` on return; an event that ends
   * in CR is complete with the CR. The bytes are not kept.
   *
   * A callback that throws does not stop the decoder, as a listener does not stop an `EventSource`: the rest of the
   * bytes is decoded, then the first thing thrown is thrown here, and the next `write` goes on as if nothing had
   * happened. Callbacks may call `end()`, and then no other is called; they must not call `write`.
   *
   * @throws {SluiceError} SLUICE_DECODER_OVERFLOW when more than `maxBufferBytes` would have to be held; the decoder
   *   takes no more then. SLUICE_DECODER_CLOSED after that, and after `end()`. SLUICE_BAD_OPTION for what are not bytes.
   */
  write(bytes: Uint8Array): void
  /** The stream is over: an incomplete event is discarded, and the decoder takes no more. Harmless when repeated. */
  end(): void
  /** What to send as `Last-Event-ID`: the last event ID as of the last complete block, even one that fired no event. */
  readonly lastEventId: string
  /** The reconnection time in milliseconds that the stream last asked for, if it did. */
  readonly retry: number | undefined
}

export const DECODE_DEFAULTS: Readonly<{ maxBufferBytes: number }> = Object.freeze({
  /** Sixteen times what `encode` allows by default: streams of other servers carry images and whole documents. */
  maxBufferBytes: 16_777_216,
})

const KNOWN: readonly (keyof DecoderOptions)[] = ['onRetry', 'onComment', 'maxBufferBytes', 'lastEventId']
const BOM = 0xfeff
const LF = 0x0a
const SPACE = 0x20
const DIGITS = /^[0-9]+$/

/**
 * A decoder of one event stream.
 *
 *     const decoder = createDecoder(({ event, data }) => console.log(event, data))
 *     for await (const bytes of response.body) decoder.write(bytes)
 *     decoder.end()
 *
 * @param onEvent called for every event, in order, during `write`
 * @throws {SluiceError} SLUICE_BAD_OPTION
 */
export function createDecoder(onEvent: (event: DecodedEvent) => void, options: DecoderOptions = {}): Decoder {
  checkFunction('onEvent', onEvent)
  checkOptions('createDecoder', options, KNOWN)
  const { onRetry, onComment } = options
  if (onRetry !== undefined) checkFunction('onRetry', onRetry)
  if (onComment !== undefined) checkFunction('onComment', onComment)
  const limit = checkInteger('maxBufferBytes', options.maxBufferBytes ?? DECODE_DEFAULTS.maxBufferBytes, 1)
  let lastEventId = options.lastEventId ?? ''
  if (typeof lastEventId !== 'string') {
    throw new SluiceError('SLUICE_BAD_OPTION', `lastEventId is ${shown(lastEventId)}; it must be a string.`)
  }

  // HTML 9.2.6: "UTF-8 decode", which drops one leading BOM and makes U+FFFD of what is not UTF-8. The BOM is ours to
  // drop: of a stream that begins with a chunk of less than three bytes, Node 24 and 26 drop two.
  const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
  let begun = false
  let state: 'open' | 'ended' | 'overflowed' = 'open'

  /** The beginning of a line whose end has not come yet. */
  const line = new Gathered()
  /** Whether the last character was a CR, so that an LF that comes next belongs to it. */
  let afterCr = false

  /** HTML 9.2.6, the data buffer, but with its lines joined by LF instead of each followed by one. */
  const data = new Gathered()
  /** Whether the block has had a data field; the data buffer alone does not tell, for its lines may be empty. */
  let hasData = false
  /** HTML 9.2.6, the event type buffer. Only this and the data are reset by an empty line. */
  let name = ''
  /** HTML 9.2.6, the last event ID buffer: it outlives its block, and becomes `lastEventId` at the block's end. */
  let idBuffer = lastEventId
  let retry: number | undefined

  /** What callbacks threw during the current write, the first of it. In an object, for `undefined` can be thrown. */
  let failure: { readonly thrown: unknown } | undefined

  function call<T>(callback: (value: T) => void, value: T): void {
    try {
      callback(value)
    } catch (thrown) {
      failure ??= { thrown }
    }
  }

  function write(bytes: Uint8Array): void {
    if (state !== 'open') {
      throw new SluiceError(
        'SLUICE_DECODER_CLOSED',
        `The decoder has ${state}; make a new one for each connection.`,
      )
    }
    if (!ArrayBuffer.isView(bytes)) {
      throw new SluiceError('SLUICE_BAD_OPTION', `write() was given ${shown(bytes)}; it takes a Uint8Array.`)
    }
    failure = undefined
    readLines(decode(bytes))
    if (failure) throw (failure as { thrown: unknown }).thrown
  }

  function decode(bytes: Uint8Array): string {
    const text = utf8.decode(bytes, { stream: true })
    if (begun || text === '') return text
    begun = true
    return text.charCodeAt(0) === BOM ? text.slice(1) : text
  }

  function readLines(text: string): void {
    let position = 0
    if (afterCr && text !== '') {
      afterCr = false
      if (text.charCodeAt(0) === LF) position = 1
    }
    // Where the next of each kind is, looked for only once the last is behind: a search per line would go through the
    // same text again for every line of a stream that uses one kind only.
    let lf = find(text, '\n', position)
    let cr = find(text, '\r', position)
    while (lf < text.length || cr < text.length) {
      const end = Math.min(lf, cr)
      const part = text.slice(position, end)
      hold(part.length)
      position = end + 1
      if (end === cr) {
        if (position === text.length) afterCr = true
        else if (text.charCodeAt(position) === LF) position += 1
        cr = find(text, '\r', position)
      }
      if (lf < position) lf = find(text, '\n', position)

      // The buffers are as they should be for what comes next before any callback runs.
      if (line.length === 0) readLine(part)
      else {
        line.add(part)
        readLine(line.take())
      }
      if (state !== 'open') return
    }
    if (position < text.length) {
      hold(text.length - position)
      line.add(text.slice(position))
    }
  }

  /** The rule depends on the stream alone, not on its splits: a line, whole or begun, and the data before it. */
  function hold(more: number): void {
    if (line.length + more + data.length <= limit) return
    state = 'overflowed'
    forget()
    throw new SluiceError(
      'SLUICE_DECODER_OVERFLOW',
      `A line and the data before it come to more than maxBufferBytes (${limit}); raise it if events are that large.`,
      failure && { cause: failure.thrown },
    )
  }

  function forget(): void {
    line.clear()
    data.clear()
    name = ''
  }

  /** HTML 9.2.6: "Lines must be processed, in the order they are received, as follows". */
  function readLine(text: string): void {
    const colon = text.indexOf(':')
    if (text === '') dispatch()
    else if (colon === -1) readField(text, '')
    else {
      const value = text.slice(text.charCodeAt(colon + 1) === SPACE ? colon + 2 : colon + 1)
      if (colon > 0) readField(text.slice(0, colon), value)
      else if (onComment) call(onComment, value)
    }
  }

  /** HTML 9.2.6: "The steps to process the field given a field name and a field value". */
  function readField(field: string, value: string): void {
    switch (field) {
      case 'event':
        name = value
        break
      case 'data':
        if (hasData) data.add('\n')
        data.add(value)
        hasData = true
        break
      case 'id':
        if (!value.includes('\0')) idBuffer = value
        break
      case 'retry':
        if (!DIGITS.test(value)) break
        // No timer takes more, and a number with hundreds of digits would otherwise be Infinity.
        retry = Math.min(Number(value), Number.MAX_SAFE_INTEGER)
        if (onRetry) call(onRetry, retry)
        break
    }
  }

  /** HTML 9.2.6: "dispatch the event", its steps in order. */
  function dispatch(): void {
    lastEventId = idBuffer // 1
    const event = { event: name || 'message', data: data.take(), lastEventId } // 3 to 5
    name = '' // 2 and 7
    if (!hasData) return // 2
    hasData = false
    call(onEvent, event) // 8
  }

  function end(): void {
    if (state !== 'open') return
    state = 'ended'
    forget()
  }

  return {
    write,
    end,
    get lastEventId() {
      return lastEventId
    },
    get retry() {
      return retry
    },
  }
}

/** Where `what` is next, or the text's length. */
function find(text: string, what: string, from: number): number {
  const index = text.indexOf(what, from)
  return index === -1 ? text.length : index
}

/**
 * Parts are joined this many at a time. A part cut out of a chunk keeps the whole chunk alive (V8 "sliced strings"),
 * and an array slot costs as much as eight characters; the join makes a copy that costs neither. Without it a stream
 * of short data lines between long comments holds memory far beyond what its length says.
 */
const PARTS = 64

/**
 * Text that arrives in many small parts and is wanted whole, once: linear in time, and in memory close to the text
 * itself, whatever the parts.
 */
class Gathered {
  /** In UTF-16 code units. */
  length = 0
  #parts: string[] = []
  /** Joins of `PARTS` parts each. */
  #joined: string[] = []

  add(part: string): void {
    this.length += part.length
    if (this.#parts.push(part) < PARTS) return
    this.#joined.push(this.#parts.join(''))
    this.#parts.length = 0
  }

  /** All of it, in order; empty afterwards. */
  take(): string {
    const text =
      this.#joined.length === 0 && this.#parts.length === 1
        ? (this.#parts[0] as string) // its length was tested
        : this.#joined.join('') + this.#parts.join('')
    this.clear()
    return text
  }

  clear(): void {
    this.length = 0
    this.#parts.length = 0
    this.#joined.length = 0
  }
}

// The bytes of text/event-stream to events, in pieces of any size (HTML, sections 9.2.5 and 9.2.6, step by step). It
// knows nothing of connections; who reads a network hands it what arrived.

import { checkFunction, checkInteger, checkOptions } from '../check.ts'
import { SluiceError } from '../errors.ts'

/** An event as a browser would dispatch it. */
export interface DecodedEvent {
  /** The event's name; `'message'` when the stream gave none. */
  readonly event: string
  readonly data: string
  /** The last event ID after this event: its own, or that of an event before. */
  readonly lastEventId: string
}

export interface DecoderOptions {
  /** Called with the reconnection time, in milliseconds, whenever the stream sets it. */
  onRetry?: ((milliseconds: number) => void) | undefined
  /** Called with the text of each comment line, without its colon and one leading space. */
  onComment?: ((text: string) => void) | undefined
  /**
   * The most that is held of an event that is not complete, in UTF-16 code units of its unfinished line and its data.
   * Default 16_777_216. More is an error: a stream that never ends an event must not grow memory for ever.
   */
  maxBufferSize?: number | undefined
}

export interface Decoder {
  /**
   * Takes the next bytes, cut anywhere, and calls back for what they complete. An exception of a callback passes
   * through; the event it was called for counts as delivered, and what stands behind it in these bytes is taken up by the
   * next call of `write`, which may be given no bytes.
   *
   * @throws {SluiceError} SLUICE_DECODER_OVERFLOW beyond `maxBufferSize`, after which it takes nothing more;
   *   SLUICE_DECODER_CLOSED after that, and after `end`
   */
  write(bytes: Uint8Array): void
  /** The stream is over. An event without its empty line is incomplete, and is dropped as the specification says. */
  end(): void
  /** What a client that reconnects now would send as Last-Event-ID; `''` for none. */
  readonly lastEventId: string
  /** The reconnection time set last, in milliseconds. */
  readonly retry: number | undefined
}

export const DECODER_DEFAULTS = Object.freeze({ maxBufferSize: 16_777_216 })

const CR = 13
const LINE_END = /[\r\n]/g
const DIGITS = /^[0-9]+$/
const NO_BYTES = new Uint8Array(0)

/** @throws {SluiceError} SLUICE_BAD_OPTION */
export function createDecoder(onEvent: (event: DecodedEvent) => void, options: DecoderOptions = {}): Decoder {
  checkFunction('onEvent', onEvent)
  const { onRetry, onComment } = checkOptions('createDecoder', options, [
    'onRetry',
    'onComment',
    'maxBufferSize',
  ])
  const maxBufferSize = checkInteger(
    'maxBufferSize',
    options.maxBufferSize ?? DECODER_DEFAULTS.maxBufferSize,
    1,
  )

  // HTML 9.2.6: "UTF-8 decode" drops one leading byte order mark, and only one; TextDecoder does so, too.
  const utf8 = new TextDecoder()
  /** Decoded text not yet taken apart: only after a callback threw is there any between two writes. */
  let pending = ''
  /** The beginning of a line whose end has not come. Pieces, joined once: adding to one string and scanning it anew would be quadratic. */
  let fragments: string[] = []
  let fragmentsSize = 0
  /** The last character taken was a CR that ended a line, so that an LF now belongs to it. */
  let afterCr = false
  // The buffers of HTML 9.2.6. The data buffer is kept as lines; an empty list is the empty buffer.
  let data: string[] = []
  let dataSize = 0
  let eventType = ''
  let lastEventIdBuffer = ''
  let lastEventId = ''
  let retry: number | undefined
  let open = true

  function write(bytes: Uint8Array): void {
    if (!open) {
      throw new SluiceError(
        'SLUICE_DECODER_CLOSED',
        'The decoder was ended, or overflowed before; make a new one for a new stream.',
      )
    }
    const text = pending + utf8.decode(bytes, { stream: true })
    let start = 0
    LINE_END.lastIndex = 0
    if (afterCr && text.length > 0) {
      // A CRLF that was cut in two.
      afterCr = false
      if (text[0] === '\n') start = 1
    }
    pending = ''
    LINE_END.lastIndex = start
    for (let match = LINE_END.exec(text); match; match = LINE_END.exec(text)) {
      const lineEnd = match.index
      let next = lineEnd + 1
      if (text.charCodeAt(lineEnd) === CR) {
        if (next === text.length) afterCr = true
        else if (text[next] === '\n') next += 1
      }
      const line = takeLine(text.slice(start, lineEnd))
      start = next
      try {
        processLine(line)
      } catch (error) {
        pending = text.slice(start)
        throw error
      }
      // A callback may have used another decoder: the expression is shared.
      LINE_END.lastIndex = start
    }
    if (start < text.length) {
      fragments.push(text.slice(start))
      fragmentsSize += text.length - start
      checkSize()
    }
  }

  function takeLine(end: string): string {
    if (fragments.length === 0) return end
    fragments.push(end)
    const line = fragments.join('')
    fragments = []
    fragmentsSize = 0
    return line
  }

  function checkSize(): void {
    if (fragmentsSize + dataSize <= maxBufferSize) return
    close()
    throw new SluiceError(
      'SLUICE_DECODER_OVERFLOW',
      `An event is longer than maxBufferSize, ${maxBufferSize}, and still not complete; the stream is broken, or the limit too low.`,
    )
  }

  // HTML 9.2.6, "Lines must be processed, in the order they are received, as follows".
  function processLine(line: string): void {
    if (line === '') {
      dispatch()
      return
    }
    const colon = line.indexOf(':')
    if (colon === 0) {
      // "If the line starts with a U+003A COLON character (:): Ignore the line."
      onComment?.(valueAfter(line, 0))
      return
    }
    if (colon === -1) processField(line, '')
    else processField(line.slice(0, colon), valueAfter(line, colon))
  }

  // HTML 9.2.6, "The steps to process the field given a field name and a field value". Names are compared as they are.
  function processField(field: string, value: string): void {
    if (field === 'event') eventType = value
    else if (field === 'data') {
      data.push(value)
      dataSize += value.length + 1
      checkSize()
    } else if (field === 'id') {
      // "If the field value does not contain U+0000 NULL, then set the last event ID buffer to the field value."
      if (!value.includes('\0')) lastEventIdBuffer = value
    } else if (field === 'retry' && DIGITS.test(value)) {
      // Longer than any life: a number that a timer could not hold is as good as the largest it can.
      retry = Math.min(Number(value), Number.MAX_SAFE_INTEGER)
      onRetry?.(retry)
    }
  }

  // HTML 9.2.6, "the user agent must dispatch the event using the steps appropriate for the user agent".
  function dispatch(): void {
    // Step 1: also without data, so that a block with an id alone moves the last event ID.
    lastEventId = lastEventIdBuffer
    const lines = data
    const event = eventType === '' ? 'message' : eventType
    data = []
    dataSize = 0
    eventType = ''
    // Step 2: "If the data buffer is an empty string, set the data buffer and the event type buffer to the empty string and return."
    if (lines.length === 0) return
    // Step 3: the LF after the last line goes.
    onEvent({ event, data: lines.join('\n'), lastEventId })
  }

  function close(): void {
    open = false
    pending = ''
    fragments = []
    data = []
  }

  return {
    write,
    end() {
      // What a callback that threw had left behind is complete, and still to be told.
      if (open && pending !== '') write(NO_BYTES)
      close()
    },
    get lastEventId() {
      return lastEventId
    },
    get retry() {
      return retry
    },
  }
}

/** HTML 9.2.6: "If value starts with a U+0020 SPACE character, remove it from value": one, not all. */
function valueAfter(line: string, colon: number): string {
  return line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
}

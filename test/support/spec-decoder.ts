// The specification once more, as plainly as it can be written: the whole stream at once, one regular expression, no
// state that outlives a line. What src/core/event-stream/decode.ts does must be what this does. It uses no code of ours.

export interface Decoded {
  events: { event: string; data: string; lastEventId: string }[]
  comments: string[]
  retries: number[]
  lastEventId: string
}

/** HTML 9.2.6, "interpreting an event stream", over a stream that has ended. */
export function specDecode(bytes: Uint8Array): Decoded {
  // "Streams must be decoded using the UTF-8 decode algorithm", which strips one leading BOM.
  let text = utf8Decode(bytes)
  if (text.startsWith('\uFEFF')) text = text.slice(1)

  // "lines separated by either CRLF, LF, or CR"; what follows the last line end is no line and is discarded.
  const lines = text.split(/\r\n|\n|\r/).slice(0, -1)

  const decoded: Decoded = { events: [], comments: [], retries: [], lastEventId: '' }
  let data = ''
  let eventType = ''
  let idBuffer = ''
  for (const line of lines) {
    if (line === '') {
      decoded.lastEventId = idBuffer
      if (data !== '') {
        if (data.endsWith('\n')) data = data.slice(0, -1)
        decoded.events.push({ event: eventType === '' ? 'message' : eventType, data, lastEventId: idBuffer })
      }
      data = ''
      eventType = ''
      continue
    }
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    let value = colon === -1 ? '' : line.slice(colon + 1)
    if (value.startsWith(' ')) value = value.slice(1)
    if (colon === 0) decoded.comments.push(value)
    else if (field === 'event') eventType = value
    else if (field === 'data') data += `${value}\n`
    else if (field === 'id' && !value.includes('\0')) idBuffer = value
    else if (field === 'retry' && /^[0-9]+$/.test(value)) decoded.retries.push(Number.parseInt(value, 10))
  }
  return decoded
}

/** Encoding 8.1.1, "UTF-8 decoder", with error mode "replacement". */
export function utf8Decode(bytes: Uint8Array): string {
  let text = ''
  let codePoint = 0
  let needed = 0
  let seen = 0
  let lower = 0x80
  let upper = 0xbf
  let index = 0
  while (index < bytes.length) {
    const byte = bytes[index] as number // index is in range
    index += 1
    if (needed === 0) {
      if (byte <= 0x7f) text += String.fromCodePoint(byte)
      else if (byte >= 0xc2 && byte <= 0xdf) {
        needed = 1
        codePoint = byte & 0x1f
      } else if (byte >= 0xe0 && byte <= 0xef) {
        if (byte === 0xe0) lower = 0xa0
        if (byte === 0xed) upper = 0x9f
        needed = 2
        codePoint = byte & 0xf
      } else if (byte >= 0xf0 && byte <= 0xf4) {
        if (byte === 0xf0) lower = 0x90
        if (byte === 0xf4) upper = 0x8f
        needed = 3
        codePoint = byte & 0x7
      } else text += '\uFFFD'
      continue
    }
    if (byte < lower || byte > upper) {
      codePoint = needed = seen = 0
      lower = 0x80
      upper = 0xbf
      index -= 1 // "Restore byte to ioQueue"
      text += '\uFFFD'
      continue
    }
    lower = 0x80
    upper = 0xbf
    codePoint = (codePoint << 6) | (byte & 0x3f)
    seen += 1
    if (seen !== needed) continue
    text += String.fromCodePoint(codePoint)
    codePoint = needed = seen = 0
  }
  return needed === 0 ? text : `${text}\uFFFD`
}

// What has broken other servers of event streams, and its kin: fields that carry the format's own characters. The ideas are those of the
// public advisories (a line break in an event's name, an id, a comment or a retry that begins a field of its own, or a whole event).

import type { EventInput } from '../../src/index.ts'

const BREAKS: readonly [name: string, text: string][] = [
  ['LF', '\n'],
  ['CR', '\r'],
  ['CRLF', '\r\n'],
  ['LF LF', '\n\n'],
  ['CR CR', '\r\r'],
  ['CR LF CR LF', '\r\n\r\n'],
  ['NUL', '\0'],
  ['LINE SEPARATOR', '\u2028'],
  ['PARAGRAPH SEPARATOR', '\u2029'],
  ['NEXT LINE', '\u0085'],
  ['VERTICAL TAB', '\v'],
  ['FORM FEED', '\f'],
  ['BOM', '\ufeff'],
  ['a lone surrogate', '\ud800'],
]

const PAYLOADS: readonly string[] = [
  'event: evil\ndata: evil\n\n',
  'data: evil',
  'id: evil',
  'retry: 1',
  ': evil',
  '',
]

export interface Attack {
  readonly what: string
  readonly event: EventInput
}

/** Every field with every kind of break before every kind of payload. */
export function attacks(): Attack[] {
  const list: Attack[] = []
  const add = (what: string, event: EventInput): void => void list.push({ what, event })
  for (const [name, text] of BREAKS) {
    for (const payload of PAYLOADS) {
      const evil = `a${text}${payload}`
      const what = `${name} and ${JSON.stringify(payload)}`
      add(`data: ${what}`, { data: evil })
      add(`event: ${what}`, { event: evil, data: 'x' })
      add(`id: ${what}`, { id: evil, data: 'x' })
      add(`comment: ${what}`, { comment: evil, data: 'x' })
      add(`data in an object: ${what}`, { data: { [evil]: evil } })
      add(`key: ${what}`, { key: evil, data: 'x' })
    }
    add(`only ${name} as data`, { data: text })
    add(`only ${name} as event`, { event: text, data: 'x' })
    add(`only ${name} as comment`, { comment: text, data: 'x' })
    add(`${name} at the ends of data`, { data: `${text}a${text}` })
  }
  for (const retry of [Number.NaN, -1, 1.5, Infinity, '1\ndata: evil', '1', 1e21, null]) {
    add(`retry: ${String(retry)}`, { retry: retry as never, data: 'x' }) // what callers without types pass
  }
  for (const text of [
    'data: evil',
    'data:evil',
    ' leading',
    ':colon',
    'event: evil',
    'id: 7',
    'retry: 1',
    '',
  ]) {
    add(`data that looks like a field: ${JSON.stringify(text)}`, { data: text })
    add(`a name that looks like a field: ${JSON.stringify(text)}`, { event: text, data: 'x' })
  }
  add('an overlong id', { id: 'x'.repeat(129), data: 'x' })
  add('an id of many bytes', { id: '€'.repeat(43), data: 'x' })
  add('an overlong name', { event: 'n'.repeat(100_000), data: 'x' })
  add('long data of one line', { data: 'x'.repeat(200_000) })
  add('many lines', { data: 'x\n'.repeat(5_000) })
  add('overlong UTF-8 as text', { data: '\u00c0\u008a\u00c0\u008a' })
  for (const field of ['event', 'id', 'comment', 'data'] as const) {
    for (const value of [{ toString: () => 'a\n\ndata: evil' }, ['a\n\ndata: evil'], 7, true, Symbol('s')]) {
      add(`${field} that is no string: ${typeof value}`, { data: 'x', [field]: value as never }) // as above
    }
  }
  return list
}

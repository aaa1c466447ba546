// Event streams for property tests: random ones that keep hitting the rules, and random ways to split their bytes.

import fc from 'fast-check'

const encoder = new TextEncoder()

/** Bytes cut at random places; an empty part now and then, and often every byte alone. */
export function splits(bytes: Uint8Array, cuts: readonly number[] | 'bytes'): Uint8Array[] {
  const places =
    cuts === 'bytes' ? [...bytes.keys()] : cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b)
  const parts: Uint8Array[] = []
  let from = 0
  for (const place of [...places, bytes.length]) {
    parts.push(bytes.subarray(from, place))
    from = place
  }
  return parts
}

export const anyCuts: fc.Arbitrary<readonly number[] | 'bytes'> = fc.oneof(
  { weight: 3, arbitrary: fc.array(fc.nat(), { maxLength: 12 }) },
  { weight: 1, arbitrary: fc.constant('bytes' as const) },
)

/** Characters that a parser may trip over, among ordinary ones. Lone surrogates are for the encoder to replace. */
const CURIOUS = [
  ...[' ', '  ', ':', ': ', 'a', 'data', 'id', '0', '\t', '\0', '\v', '\f', '\x7f', '\x85', '\xa0'],
  ...[
    '\u2028',
    '\u2029',
    '\uFEFF',
    'ï»¿',
    'é',
    '€',
    '漢',
    '\u{1F600}',
    '\uD83D',
    '\uDE00',
    '\uFFFD',
    '\uFFFF',
  ],
]

/** Text of a single line. */
export const lineText: fc.Arbitrary<string> = fc
  .array(fc.oneof(fc.constantFrom(...CURIOUS), fc.string({ unit: 'binary', maxLength: 3 })), { maxLength: 6 })
  .map((parts) => parts.join('').replace(/[\r\n]/g, ''))

export const lineEnd: fc.Arbitrary<string> = fc.constantFrom('\n', '\r', '\r\n')

/** Text of several lines, their ends mixed. */
export const anyText: fc.Arbitrary<string> = fc
  .array(fc.oneof({ weight: 3, arbitrary: lineText }, { weight: 2, arbitrary: lineEnd }), { maxLength: 6 })
  .map((parts) => parts.join(''))

const fieldName = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('data', 'event', 'id', 'retry', '') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('Data', ' data', 'data ', 'dat', 'datas', 'ids', '\uFEFFdata', 'x'),
  },
)
const separator = fc.constantFrom(':', ': ', ':  ', '', ' :')
const digits = fc.stringMatching(/^[0-9]{1,6}$/)
const value = fc.oneof({ weight: 4, arbitrary: lineText }, { weight: 1, arbitrary: digits })

const fieldLine = fc.tuple(fieldName, separator, value).map((parts) => encoder.encode(parts.join('')))
const rawBytes = fc.uint8Array({ maxLength: 6 })
const badUtf8 = fc.constantFrom(
  ...[[0xff], [0xc3], [0xe2, 0x82], [0xf0, 0x9f, 0x98], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xef, 0xbb]],
)
const endBytes = fc.oneof(lineEnd, lineEnd, fc.constantFrom('\n\n', '\r\r', '\r\n\r\n', '\n\r', '\r\r\n'))

/** Bytes that look like a stream: fields, line ends of every kind, a BOM perhaps, and rubbish in between. */
export const fieldSoup: fc.Arbitrary<Uint8Array> = fc
  .tuple(
    fc.constantFrom([], [], [0xef, 0xbb, 0xbf], [0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf], [0xef, 0xbb]),
    fc.array(
      fc.oneof(
        { weight: 8, arbitrary: fieldLine },
        { weight: 8, arbitrary: endBytes.map((end) => encoder.encode(end)) },
        { weight: 1, arbitrary: rawBytes },
        { weight: 1, arbitrary: badUtf8.map((bytes) => Uint8Array.from(bytes)) },
      ),
      { maxLength: 40 },
    ),
  )
  .map(([head, parts]) => Uint8Array.from([...head, ...parts.flatMap((part) => [...part])]))

// The decoder on arbitrary bytes in arbitrary pieces, beside a plain transcription of the specification, and beside eventsource-parser
// where that is known to follow it.

import assert from 'node:assert/strict'
import { createParser } from 'eventsource-parser'
import { createDecoder } from '../../src/event-stream.ts'
import { specDecode } from '../support/spec-decoder.ts'
import { cut, mutate, type Random, soup } from './random.ts'
import type { Target } from './target.ts'

const text = (...list: string[]): Uint8Array[] => list.map((one) => Buffer.from(one))
const PIECES: readonly Uint8Array[] = [
  ...text(
    'data',
    'event',
    'id',
    'retry',
    'Data',
    'datax',
    ':',
    ': ',
    ':  ',
    '\n',
    '\r',
    '\r\n',
    '\n\n',
    '\r\r',
    ' ',
    'a',
    '0',
    '7',
    '-1',
    '1e3',
  ),
  ...text(
    '\ufeff',
    'é',
    '€',
    '🌊',
    '\u2028',
    '\u0085',
    '\0',
    'data: x\n\n',
    'id: 1\ndata\n\n',
    'id\n\n',
    'retry: 10\n',
    ':c\n',
    'x'.repeat(300),
  ),
  // Bytes that are no UTF-8, and halves of what is.
  ...[
    [0xef, 0xbb],
    [0xbf],
    [0xff],
    [0xc0, 0x8a],
    [0xe2, 0x82],
    [0xf0, 0x9f, 0x8c],
    [0xed, 0xa0, 0x80],
    [0x80],
  ].map((one) => Buffer.from(one)),
]

export const decoder: Target = {
  name: 'decoder',
  input: (random: Random, corpus) =>
    corpus.length > 0 && random() < 0.3
      ? mutate(random, corpus[Math.floor(random() * corpus.length)] as Uint8Array, PIECES) // within the list
      : soup(random, PIECES, 60),
  check(input, random) {
    const events: unknown[] = []
    const comments: string[] = []
    const retries: number[] = []
    const one = createDecoder((event) => events.push(event), {
      onComment: (comment) => comments.push(comment),
      onRetry: (ms) => retries.push(ms),
    })
    for (const part of cut(random, input)) one.write(part)
    one.end()
    const spec = specDecode(input)
    assert.deepEqual(events, spec.events)
    assert.deepEqual(comments, spec.comments)
    assert.deepEqual(retries, spec.retries)
    assert.equal(one.lastEventId, spec.lastEventId)
    // Its known deviations are named in test/core/event-stream/oracles.test.ts; of what has none of them it must say the same.
    const plain = Buffer.from(input).toString()
    if (/[\0\ufeff\ufffd\r]|^(id|event)|^data:?$/m.test(plain)) return
    const parsed: string[] = []
    const parser = createParser({ onEvent: ({ data }) => parsed.push(data) })
    parser.feed(plain)
    assert.deepEqual(
      parsed,
      spec.events.map(({ data }) => data),
    )
  },
}

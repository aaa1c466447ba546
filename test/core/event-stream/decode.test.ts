import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { SluiceError } from '../../../src/core/errors.ts'
import {
  createDecoder,
  DECODE_DEFAULTS,
  type DecodedEvent,
  type DecoderOptions,
} from '../../../src/core/event-stream/decode.ts'
import { encode } from '../../../src/core/event-stream/encode.ts'
import { anyCuts, anyText, fieldSoup, lineText, splits } from '../../support/event-streams.ts'
import { collectGarbage } from '../../support/gc.ts'
import { type Decoded, specDecode, utf8Decode } from '../../support/spec-decoder.ts'

const encoder = new TextEncoder()
const untyped = (value: unknown) => value as never

function bytesOf(stream: string | Uint8Array): Uint8Array {
  return typeof stream === 'string' ? encoder.encode(stream) : stream
}

/** All that comes out of a decoder which is given these parts, then the end. */
function decodeParts(parts: readonly (string | Uint8Array)[], options: DecoderOptions = {}): Decoded {
  const events: DecodedEvent[] = []
  const comments: string[] = []
  const retries: number[] = []
  const decoder = createDecoder((event) => events.push(event), {
    onComment: (text) => comments.push(text),
    onRetry: (ms) => retries.push(ms),
    ...options,
  })
  for (const part of parts) decoder.write(bytesOf(part))
  decoder.end()
  assert.equal(decoder.retry, retries.at(-1))
  return { events, comments, retries, lastEventId: decoder.lastEventId }
}

/** Decodes at once and byte by byte, which must not differ. */
function decode(stream: string | Uint8Array): Decoded {
  const whole = decodeParts([stream])
  assert.deepEqual(decodeParts(splits(bytesOf(stream), 'bytes')), whole)
  return whole
}

function dataOf(stream: string | Uint8Array): string[] {
  return decode(stream).events.map(({ data }) => data)
}

function message(data: string, lastEventId = ''): DecodedEvent {
  return { event: 'message', data, lastEventId }
}

describe('a block', () => {
  test('fires a message with its data, once its empty line has come', () => {
    assert.deepEqual(decode('data: a\n\n').events, [message('a')])
    assert.deepEqual(decode('data: a\n').events, [])
    assert.deepEqual(decode('data: a').events, [])
  })

  test('fires under its event name, which does not outlive it', () => {
    const { events } = decode('event: tick\ndata: a\n\ndata: b\n\nevent: lost\n\ndata: c\n\n')
    assert.deepEqual(events, [{ event: 'tick', data: 'a', lastEventId: '' }, message('b'), message('c')])
  })

  test('fires as message where its last event field is empty', () => {
    assert.deepEqual(decode('event: tick\nevent:\ndata: a\n\n').events, [message('a')])
  })

  test('without data fires nothing', () => {
    assert.deepEqual(decode('event: tick\n\n: hello\n\nretry: 1\n\n\n\n').events, [])
  })

  test('with empty data fires an event', () => {
    assert.deepEqual(dataOf('data\n\n'), [''])
    assert.deepEqual(dataOf('data:\n\n'), [''])
    assert.deepEqual(dataOf('data: \n\n'), [''])
    assert.deepEqual(dataOf('data\ndata\n\n'), ['\n'])
  })

  test('joins its data lines by LF and keeps a trailing one', () => {
    assert.deepEqual(dataOf('data: a\ndata: b\n\ndata: c\ndata:\n\n'), ['a\nb', 'c\n'])
  })

  test('that is incomplete at the end is discarded, but not the retry in it', () => {
    const decoded = decode('id: 1\ndata: a\n\nid: 2\nretry: 7\nevent: x\ndata: b\n')
    assert.deepEqual(decoded, { events: [message('a', '1')], comments: [], retries: [7], lastEventId: '1' })
  })
})

describe('a line', () => {
  test('ends with LF, CR or CRLF, mixed as one likes', () => {
    assert.deepEqual(dataOf('data: a\r\rdata: b\n\ndata: c\r\n\r\ndata: d\r\n\rdata: e\n\r\n'), [
      ...['a', 'b', 'c', 'd', 'e'],
    ])
    assert.deepEqual(dataOf('data: a\rdata: b\ndata: c\r\ndata: d\n\n'), ['a\nb\nc\nd'])
  })

  test('ends at LF CR twice', () => {
    assert.deepEqual(dataOf('data: a\n\rdata: b\n\n'), ['a', 'b'])
  })

  test('is not ended by U+2028, U+2029, U+0085, VT or FF', () => {
    assert.deepEqual(dataOf('data: a\u2028b\u2029c\u0085d\ve\ff\n\n'), ['a\u2028b\u2029c\u0085d\ve\ff'])
  })

  test('that ends a block with CR fires at once, and an LF that comes later belongs to it', () => {
    const events: DecodedEvent[] = []
    const decoder = createDecoder((event) => events.push(event))
    decoder.write(encoder.encode('data: a\r\n\r'))
    assert.deepEqual(events, [message('a')])
    decoder.write(new Uint8Array())
    decoder.write(encoder.encode('\n'))
    decoder.write(encoder.encode('data: b\r'))
    decoder.write(encoder.encode('\n'))
    assert.equal(events.length, 1)
    decoder.write(encoder.encode('\n'))
    assert.deepEqual(events, [message('a'), message('b')])
  })

  test('loses one space after its colon, and no more', () => {
    assert.deepEqual(dataOf('data:a\n\ndata: a\n\ndata:  a\n\ndata:\ta\n\n'), ['a', 'a', ' a', '\ta'])
  })

  test('keeps further colons in its value', () => {
    assert.deepEqual(dataOf('data: a:b: c\n\ndata::\n\n'), ['a:b: c', ':'])
  })

  test('with another field name, however like, is ignored', () => {
    assert.deepEqual(decode('Data: a\n data: a\ndata : a\ndatas: a\nx: a\nx\nEVENT: a\n\n').events, [])
  })

  test('that begins with a colon is a comment', () => {
    const { comments, events } = decode(':\n: a\n:b\n:  c\n:data: d\ndata: e\n: f\ndata: g\n\n')
    assert.deepEqual(comments, ['', 'a', 'b', ' c', 'data: d', 'f'])
    assert.deepEqual(events, [message('e\ng')])
  })

  test('that begins with a colon needs nobody to listen for it', () => {
    const events: DecodedEvent[] = []
    createDecoder((event) => events.push(event)).write(encoder.encode(': a\nretry: 1\ndata: b\n\n'))
    assert.deepEqual(events, [message('b')])
  })
})

describe('an id', () => {
  test('is the last event ID of its event and of those after it', () => {
    const { events, lastEventId } = decode('data: a\n\nid: 1\ndata: b\n\ndata: c\n\n')
    assert.deepEqual(events, [message('a'), message('b', '1'), message('c', '1')])
    assert.equal(lastEventId, '1')
  })

  test('counts where its block fires nothing', () => {
    assert.deepEqual(decode('id: 1\n\n'), { events: [], comments: [], retries: [], lastEventId: '1' })
    assert.deepEqual(decode('id: 1\n\ndata: a\n\n').events, [message('a', '1')])
  })

  test('that is empty resets', () => {
    assert.deepEqual(decode('id: 1\ndata: a\n\nid\ndata: b\n\n').events, [message('a', '1'), message('b')])
    assert.equal(decode('id: 1\n\nid:\n\n').lastEventId, '')
    assert.equal(decode('id: 1\n\nid: \n\n').lastEventId, '')
  })

  test('with NUL is ignored', () => {
    assert.deepEqual(decode('id: 1\nid: 2\0\ndata: a\n\nid: \0\n\n').events, [message('a', '1')])
    assert.equal(decode('id: 1\n\nid: \0\n\n').lastEventId, '1')
  })

  test('given twice in a block counts as last given', () => {
    assert.deepEqual(decode('id: 1\ndata: a\nid: 2\n\n').events, [message('a', '2')])
  })

  test('counts from the end of its block on, not before', () => {
    const decoder = createDecoder(() => {})
    decoder.write(encoder.encode('id: 1\ndata: a\n'))
    assert.equal(decoder.lastEventId, '')
    decoder.write(encoder.encode('\n'))
    assert.equal(decoder.lastEventId, '1')
  })

  test('of an earlier connection is carried on until the stream gives one', () => {
    const { events } = decodeParts(['data: a\n\nid: 1\ndata: b\n\n'], { lastEventId: '0' })
    assert.deepEqual(events, [message('a', '0'), message('b', '1')])
    assert.equal(decodeParts([], { lastEventId: '0' }).lastEventId, '0')
  })
})

describe('a retry', () => {
  test('of ASCII digits is the reconnection time, at once', () => {
    const told: number[] = []
    const decoder = createDecoder(() => {}, { onRetry: (ms) => told.push(ms) })
    assert.equal(decoder.retry, undefined)
    decoder.write(encoder.encode('retry: 1500\n'))
    assert.equal(decoder.retry, 1500)
    decoder.write(encoder.encode('retry:007\nretry: 0\n'))
    assert.equal(decoder.retry, 0)
    assert.deepEqual(told, [1500, 7, 0])
  })

  test('of anything else is ignored', () => {
    const stream = ['', ' ', '-1', '+1', '1.5', '1e3', '1 ', '  1', '0x1', 'a', '１', '1\0']
      .map((value) => `retry: ${value}\n`)
      .join('')
    assert.deepEqual(decode(`${stream}retry\n`).retries, [])
  })

  test('beyond the safe integers is the largest of them', () => {
    assert.deepEqual(decode(`retry: ${'9'.repeat(400)}\n`).retries, [Number.MAX_SAFE_INTEGER])
  })
})

describe('the bytes', () => {
  test('lose one leading BOM, and only that', () => {
    const bom = [0xef, 0xbb, 0xbf]
    const field = [...encoder.encode('data: a\n\n')]
    assert.deepEqual(dataOf(Uint8Array.from([...bom, ...field])), ['a'])
    assert.deepEqual(dataOf(Uint8Array.from([...bom, ...bom, ...field])), [])
    assert.deepEqual(dataOf(Uint8Array.from([...field, ...bom, ...field])), ['a'])
    assert.deepEqual(dataOf(Uint8Array.from([...encoder.encode('data: '), ...bom, 10, 10])), ['\uFEFF'])
    // In whatever pieces: some TextDecoders lose two of a stream that begins with a small one.
    const twice = Uint8Array.from([...bom, ...bom, ...field])
    for (let first = 0; first < 7; first += 1) {
      for (let second = first; second < 7; second += 1) {
        const seen: string[] = []
        const decoder = createDecoder(({ data }) => seen.push(data))
        decoder.write(twice.subarray(0, first))
        decoder.write(twice.subarray(first, second))
        decoder.write(twice.subarray(second))
        decoder.end()
        assert.deepEqual(seen, [], `${first}, ${second}`)
      }
    }
  })

  test('that are not UTF-8 become U+FFFD, under every split', () => {
    const data = [...encoder.encode('data: ')]
    const cases: [number[], string][] = [
      [[0xff], '\uFFFD'],
      [[0xe2, 0x82], '\uFFFD'],
      [[0xe2, 0x82, 0x41], '\uFFFDA'],
      [[0xf0, 0x9f, 0x98], '\uFFFD'],
      [[0xed, 0xa0, 0x80], '\uFFFD\uFFFD\uFFFD'],
      [[0xc0, 0xaf], '\uFFFD\uFFFD'],
      [[0xf4, 0x90, 0x80, 0x80], '\uFFFD\uFFFD\uFFFD\uFFFD'],
    ]
    for (const [bytes, text] of cases)
      assert.deepEqual(dataOf(Uint8Array.from([...data, ...bytes, 10, 10])), [text])
  })

  test('of one character may come one at a time', () => {
    assert.deepEqual(dataOf('data: é€漢\u{1F600}\n\n'), ['é€漢\u{1F600}'])
  })

  test('are not kept: the caller may use the memory again', () => {
    const events: DecodedEvent[] = []
    const decoder = createDecoder((event) => events.push(event))
    const bytes = encoder.encode('data: abc')
    decoder.write(bytes)
    bytes.fill(10)
    decoder.write(bytes.subarray(0, 2))
    assert.deepEqual(events, [message('abc')])
  })

  test('may come as a Buffer', () => {
    assert.deepEqual(decodeParts([Buffer.from('data: a\n\n')]).events, [message('a')])
  })
})

describe('a decoder’s bound', () => {
  const closed = { name: 'SluiceError', code: 'SLUICE_DECODER_CLOSED' }
  const overflow = { name: 'SluiceError', code: 'SLUICE_DECODER_OVERFLOW', message: /maxBufferBytes \(20\)/ }
  const options = { maxBufferBytes: 20 }

  test('is 16 MiB by default', () => {
    assert.deepEqual(DECODE_DEFAULTS, { maxBufferBytes: 16_777_216 })
    assert.ok(Object.isFrozen(DECODE_DEFAULTS))
    const decoder = createDecoder(() => {})
    const mebibyte = new Uint8Array(1_048_576).fill(0x61)
    for (let n = 0; n < 16; n += 1) decoder.write(mebibyte)
    assert.throws(() => decoder.write(encoder.encode('a')), { code: 'SLUICE_DECODER_OVERFLOW' })
  })

  test('lets through a line of just its length and refuses a longer one, of any kind', () => {
    for (const name of ['data:', 'event:', 'id:', ':', 'x']) {
      const line = name.padEnd(20, 'a')
      for (const cuts of [[], 'bytes'] as const) {
        decodeParts(splits(encoder.encode(`${line}\n\n`), cuts), options)
        const tooMuch = splits(encoder.encode(`${line}a\n\n`), cuts)
        assert.throws(() => decodeParts(tooMuch, options), overflow)
      }
    }
  })

  test('counts the data that waits for the end of its block, line ends included', () => {
    // 7 + 1 + 4 units of data, and a line of 8.
    const stream = 'data:1234567\ndata:1234\ndata:123\n\n'
    assert.equal(decodeParts([stream], options).events.length, 1)
    for (const cuts of [[], [3, 14, 25], 'bytes'] as const) {
      const parts = splits(encoder.encode(stream.replace('123\n\n', '1234\n\n')), cuts)
      assert.throws(() => decodeParts(parts, options), overflow)
    }
    assert.throws(() => decodeParts(['data\n'.repeat(100)], options), overflow)
  })

  test('does not count what has been handed on', () => {
    assert.equal(decodeParts(['data: 12345678\n\n'.repeat(1000)], options).events.length, 1000)
    assert.equal(decodeParts([': 12345678\n'.repeat(1000)], options).comments.length, 1000)
  })

  test('counts UTF-16 code units, not bytes', () => {
    assert.equal(decodeParts([`data:${'€'.repeat(15)}\n\n`], options).events.length, 1)
    assert.throws(() => decodeParts([`data:${'\u{1F600}'.repeat(8)}\n\n`], options), overflow)
  })

  // A part cut out of a chunk kept the whole chunk alive: 20 characters of data held 65 KB.
  test('bounds memory too: short data lines do not hold on to the chunks that they came in', async () => {
    const chunk = encoder.encode(`data: ${'x'.repeat(20)}\n:${'c'.repeat(65_000)}\n`)
    const decoder = createDecoder(() => {})
    await collectGarbage()
    const before = process.memoryUsage().heapUsed
    for (let n = 0; n < 2000; n += 1) decoder.write(chunk)
    await collectGarbage()
    assert.ok(process.memoryUsage().heapUsed - before < 30_000_000)
    decoder.end()
  })

  test('once passed leaves a decoder that takes no more, and what came before stays handed on', () => {
    const events: DecodedEvent[] = []
    const decoder = createDecoder((event) => events.push(event), options)
    assert.throws(() => decoder.write(encoder.encode(`id: 1\ndata: a\n\n${'x'.repeat(21)}`)), overflow)
    assert.deepEqual(events, [message('a', '1')])
    assert.throws(() => decoder.write(encoder.encode('\n')), { ...closed, message: /overflowed/ })
    decoder.end()
    assert.throws(() => decoder.write(encoder.encode('\n')), { ...closed, message: /overflowed/ })
    assert.equal(decoder.lastEventId, '1')
  })

  test('holds whatever the callbacks do: the overflow has what they threw as its cause', () => {
    const thrown = new Error('of the callback')
    const decoder = createDecoder(() => {
      throw thrown
    }, options)
    const stream = encoder.encode(`data: a\n\n${'x'.repeat(21)}`)
    assert.throws(
      () => decoder.write(stream),
      (error: unknown) =>
        error instanceof SluiceError && error.code === overflow.code && error.cause === thrown,
    )
  })
})

describe('the end', () => {
  test('may come twice, and nothing is taken after it', () => {
    const decoder = createDecoder(() => assert.fail('no event was complete'))
    decoder.write(encoder.encode('data: a\n'))
    decoder.end()
    decoder.end()
    assert.throws(() => decoder.write(encoder.encode('\n')), {
      code: 'SLUICE_DECODER_CLOSED',
      message: /ended/,
    })
  })

  test('called by a callback is obeyed at once', () => {
    const data: string[] = []
    const decoder = createDecoder((event) => {
      data.push(event.data)
      decoder.end()
    })
    decoder.write(encoder.encode('id: 1\ndata: a\n\nid: 2\ndata: b\n\n'))
    assert.deepEqual(data, ['a'])
    assert.equal(decoder.lastEventId, '1')
  })
})

describe('a callback that throws', () => {
  test('does not stop the rest of the bytes, and write throws the first thing thrown', () => {
    const seen: unknown[] = []
    const note = (what: unknown) => {
      seen.push(what)
      throw what
    }
    const decoder = createDecoder(({ data }) => note(data), { onRetry: note, onComment: note })
    const parts = [
      'data: a\n\nretry: 5\n: c\ndata: b1\nda',
      'ta: b2\n\nid: 7\ndata: d\n\nevent: x\n',
      'data: e\n\n',
    ]
    const thrown: unknown[] = []
    for (const part of parts) {
      try {
        decoder.write(encoder.encode(part))
      } catch (error) {
        thrown.push(error)
      }
    }
    assert.deepEqual(seen, ['a', 5, 'c', 'b1\nb2', 'd', 'e'])
    assert.deepEqual(thrown, ['a', 'b1\nb2', 'e'])
    assert.equal(decoder.lastEventId, '7')
    assert.equal(decoder.retry, 5)
    decoder.write(encoder.encode('data: incomplete'))
  })

  test('may throw undefined', () => {
    const decoder = createDecoder(() => {
      throw undefined
    })
    let caught = false
    try {
      decoder.write(encoder.encode('data: a\n\n'))
    } catch (error) {
      caught = error === undefined
    }
    assert.ok(caught)
  })
})

describe('a misused decoder', () => {
  test('says which argument is wrong', () => {
    const bad = (message: RegExp) => ({ name: 'SluiceError', code: 'SLUICE_BAD_OPTION', message })
    const make = (...args: unknown[]) => createDecoder(...(args as Parameters<typeof createDecoder>))
    assert.throws(() => make(), bad(/onEvent is undefined/))
    assert.throws(() => make({ onEvent: () => {} }), bad(/onEvent is an object/))
    assert.throws(() => make(() => {}, null), bad(/createDecoder is null/))
    assert.throws(() => make(() => {}, { onComent: () => {} }), bad(/onComent/))
    assert.throws(() => make(() => {}, { onRetry: 1 }), bad(/onRetry is 1/))
    assert.throws(() => make(() => {}, { onComment: 'c' }), bad(/onComment is "c"/))
    assert.throws(() => make(() => {}, { maxBufferBytes: 0 }), bad(/maxBufferBytes is 0/))
    assert.throws(() => make(() => {}, { lastEventId: 4 }), bad(/lastEventId is 4/))
    const decoder = make(() => {}, { onRetry: undefined, onComment: undefined, maxBufferBytes: undefined })
    assert.throws(() => decoder.write(untyped('data: a\n\n')), bad(/"data: a\\n\\n"; it takes a Uint8Array/))
  })
})

describe('any stream', () => {
  test('that encode wrote comes back as it was meant, under any split', () => {
    const id = lineText.map((text) =>
      text
        .replace(/\p{Cc}/gu, '')
        .slice(0, 40)
        .trim(),
    )
    const event = fc.record(
      { event: lineText, data: anyText, id, retry: fc.nat(), comment: anyText },
      { requiredKeys: ['data'] },
    )
    const wellFormed = (text: string) => text.replace(/\p{Cs}/gu, '\uFFFD')
    const lines = (text: string) => wellFormed(text).split(/\r\n|\r|\n/)
    fc.assert(
      fc.property(fc.array(event, { maxLength: 5 }), anyCuts, (given, cuts) => {
        const expected: Decoded = { events: [], comments: [], retries: [], lastEventId: '' }
        for (const { event, data, id, retry, comment } of given) {
          expected.lastEventId = wellFormed(id ?? expected.lastEventId)
          expected.events.push({
            event: wellFormed(event ?? '') || 'message',
            data: lines(data).join('\n'),
            lastEventId: expected.lastEventId,
          })
          if (retry !== undefined) expected.retries.push(retry)
          if (comment !== undefined) expected.comments.push(...lines(comment))
        }
        const bytes = Buffer.concat(given.map((one) => encode(one)))
        assert.deepEqual(decodeParts(splits(bytes, cuts)), expected)
      }),
      { numRuns: 1000 },
    )
  })

  test('decodes as the specification says, under any split', () => {
    fc.assert(
      fc.property(fieldSoup, anyCuts, (bytes, cuts) => {
        const expected = specDecode(bytes)
        assert.deepEqual(decodeParts([bytes]), expected)
        assert.deepEqual(decodeParts(splits(bytes, cuts)), expected)
      }),
      { numRuns: 3000 },
    )
  })

  test('decodes as the specification says where most bytes mean something', () => {
    const meaningful = fc.constantFrom(...encoder.encode('dataidevent: \n\r\n\r\0'), 0xef, 0xbb, 0xbf, 0xc3)
    const bytes = fc.array(meaningful, { maxLength: 60 }).map((array) => Uint8Array.from(array))
    fc.assert(
      fc.property(bytes, anyCuts, (given, cuts) => {
        assert.deepEqual(decodeParts(splits(given, cuts)), specDecode(given))
      }),
      { numRuns: 3000 },
    )
  })

  test('decodes as UTF-8 the way the platform does, so that the judge above can be trusted', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        assert.equal(utf8Decode(bytes), new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes))
      }),
      { numRuns: 2000 },
    )
  })
})

// A quadratic step would take minutes here; the bound is far above what the linear one needs on a busy machine.
describe('decoding takes linear time', () => {
  function total(stream: Uint8Array, size: number): { events: number; length: number } {
    const start = performance.now()
    const sum = { events: 0, length: 0 }
    const decoder = createDecoder(({ data }) => {
      sum.events += 1
      sum.length += data.length
    })
    for (let from = 0; from < stream.length; from += size) decoder.write(stream.subarray(from, from + size))
    assert.ok(performance.now() - start < 10_000)
    return sum
  }

  test('for 10 MB in one line, in chunks of 7 bytes to 64 KB, and whole', () => {
    const stream = encoder.encode(`data:${'a'.repeat(10_000_000)}\n\n`)
    for (const size of [7, 1000, 65_536, stream.length]) {
      assert.deepEqual(total(stream, size), { events: 1, length: 10_000_000 })
    }
  })

  test('for 1 MB byte by byte', () => {
    const stream = encoder.encode(`data:${'a'.repeat(1_000_000)}\n\n`)
    assert.deepEqual(total(stream, 1), { events: 1, length: 1_000_000 })
  })

  test('for a million data lines of one event, empty or not', () => {
    for (const [line, length] of [
      ['data\n', 999_999],
      ['data:ab\r', 2_999_999],
    ] as const) {
      const stream = encoder.encode(`${line.repeat(1_000_000)}${line.at(-1)}`)
      for (const size of [1000, stream.length]) assert.deepEqual(total(stream, size), { events: 1, length })
    }
  })

  test('for a million lines without a colon, and with one CR at the very end of all those LFs', () => {
    const stream = encoder.encode(`${'x\n'.repeat(1_000_000)}data: a\r\r`)
    assert.deepEqual(total(stream, stream.length), { events: 1, length: 1 })
  })

  test('for a million events in one chunk', () => {
    const stream = encoder.encode('data:a\n\n'.repeat(1_000_000))
    assert.deepEqual(total(stream, stream.length), { events: 1_000_000, length: 1_000_000 })
  })
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type ErrorCode, SluiceError } from '../../../src/core/errors.ts'
import {
  checkEventName,
  checkId,
  ENCODE_DEFAULTS,
  type EncodeOptions,
  type EventInput,
  encode,
  encodeText,
  serializeData,
} from '../../../src/core/event-stream/encode.ts'

function wire(event: EventInput, options?: EncodeOptions): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(encode(event, options))
}

/** Asserts the code, and that the message has every one of the words: what was given, the rule, the cure. */
function refuses(action: () => unknown, code: ErrorCode, ...words: string[]): void {
  assert.throws(action, (error: unknown) => {
    assert.ok(error instanceof SluiceError)
    assert.equal(error.code, code)
    for (const word of words) assert.ok(error.message.includes(word), `${word} is not in: ${error.message}`)
    return true
  })
}

const untyped = (value: unknown) => value as never

describe('a block', () => {
  test('has comment, event, id and data lines in this order and ends with an empty line', () => {
    assert.equal(wire({ data: 'd', id: 'i', event: 'e', comment: 'c' }), ': c\nevent: e\nid: i\ndata: d\n\n')
  })

  test('comes after a block of its own for retry', () => {
    assert.equal(wire({ data: 'd', retry: 1500 }), 'retry: 1500\n\ndata: d\n\n')
    assert.equal(wire({ retry: 0 }), 'retry: 0\n\n')
  })

  test('never holds the key', () => {
    assert.equal(wire({ data: 'd', key: 'secret' }), 'data: d\n\n')
  })

  test('has no line for a field that is undefined', () => {
    const nothing = { event: undefined, id: undefined, retry: undefined, comment: undefined, key: undefined }
    assert.equal(wire({ ...nothing, data: 'd' }), 'data: d\n\n')
    assert.equal(wire({ data: undefined, id: '1' }), 'id: 1\n\n')
  })

  test('holds LF only and begins with no BOM, whatever was given', () => {
    const bytes = encode({ event: '\uFEFF', id: '\uFEFF', data: '\uFEFF\r\r\n', comment: '\r\uFEFF\r\n' })
    assert.equal(bytes.includes(13), false)
    assert.notEqual(bytes[0], 0xef)
  })

  test('is the caller’s own: two encodings share no memory', () => {
    const first = encode({ data: 'a' })
    const second = encode({ data: 'a' })
    first.fill(0)
    assert.equal(new TextDecoder().decode(second), 'data: a\n\n')
  })
})

describe('data', () => {
  test('that is a string goes as it is, past the serializer', () => {
    assert.equal(wire({ data: '{"a":1}' }, { serialize: () => 'no' }), 'data: {"a":1}\n\n')
  })

  test('that is not a string goes through JSON.stringify by default', () => {
    assert.equal(wire({ data: { btc: 64000 } }), 'data: {"btc":64000}\n\n')
    assert.equal(wire({ data: null }), 'data: null\n\n')
    assert.equal(wire({ data: 0 }), 'data: 0\n\n')
    assert.equal(wire({ data: false }), 'data: false\n\n')
    assert.equal(wire({ data: ['a\nb'] }), 'data: ["a\\nb"]\n\n')
  })

  test('that is not a string goes through the given serializer, with nothing else as argument', () => {
    const given: unknown[][] = []
    const serialize = (...args: unknown[]) => {
      given.push(args)
      return 'two\nlines'
    }
    assert.equal(wire({ data: 7 }, { serialize }), 'data: two\ndata: lines\n\n')
    assert.deepEqual(given, [[7]])
  })

  test('that is empty is a data line, and no data is none', () => {
    assert.equal(wire({ data: '' }), 'data: \n\n')
    assert.equal(wire({ event: 'e' }), 'event: e\n\n')
  })

  test('is split at CRLF, CR and LF, each once', () => {
    assert.equal(wire({ data: 'a\r\nb\rc\nd' }), 'data: a\ndata: b\ndata: c\ndata: d\n\n')
    assert.equal(wire({ data: '\r\n\r' }), 'data: \ndata: \ndata: \n\n')
    assert.equal(wire({ data: '\n\r' }), 'data: \ndata: \ndata: \n\n')
  })

  test('is split at nothing else that some call a line end', () => {
    const data = 'a\u2028b\u2029c\u0085d\ve\ff\x1cg\0h'
    assert.equal(wire({ data }), `data: ${data}\n\n`)
  })

  test('keeps its leading space and its trailing newline', () => {
    assert.equal(wire({ data: ' a\n b\n' }), 'data:  a\ndata:  b\ndata: \n\n')
  })

  test('has U+FFFD for a lone surrogate and keeps whole pairs', () => {
    assert.equal(wire({ data: 'a\uD83Db\u{1F600}\uDE00' }), 'data: a\uFFFDb\u{1F600}\uFFFD\n\n')
  })

  test('cannot forge a field, whatever it looks like', () => {
    assert.equal(wire({ data: 'x\nid: 9\n\nevent: y' }), 'data: x\ndata: id: 9\ndata: \ndata: event: y\n\n')
  })

  test('that makes the serializer throw is refused with the thrown value as the cause', () => {
    const circle: Record<string, unknown> = {}
    circle.self = circle
    assert.throws(
      () => encode({ data: circle }),
      (error: unknown) => error instanceof SluiceError && error.cause instanceof TypeError,
    )
    refuses(() => encode({ data: 10n }), 'SLUICE_UNSERIALIZABLE', '10', 'serialize')
  })

  test('that serializes to anything but a string is refused', () => {
    refuses(() => encode({ data: () => 1 }), 'SLUICE_UNSERIALIZABLE', 'a function', 'undefined', 'string')
    refuses(() => encode({ data: Symbol('s') }), 'SLUICE_UNSERIALIZABLE', 'Symbol(s)')
    const serialize = untyped(async () => 'later')
    refuses(() => encode({ data: 1 }, { serialize }), 'SLUICE_UNSERIALIZABLE', 'an object')
  })
})

describe('an event name', () => {
  test('goes as it is, spaces, colons and control characters included', () => {
    assert.equal(wire({ event: ' a: b\t\0', data: '' }), 'event:  a: b\t\0\ndata: \n\n')
  })

  test('that is empty has no line, which means the same', () => {
    assert.equal(wire({ event: '', data: 'd' }), 'data: d\n\n')
  })

  test('with CR or LF, or that is not a string, is refused', () => {
    for (const event of ['a\nb', 'a\r', '\r\ndata: forged', 7, null, {}]) {
      refuses(() => encode({ event: untyped(event), data: 'd' }), 'SLUICE_BAD_EVENT_NAME', 'CR or LF')
    }
    refuses(() => encode({ event: 'a\nb' }), 'SLUICE_BAD_EVENT_NAME', '"a\\nb"')
  })

  test('is given back by its check', () => {
    assert.equal(checkEventName('tick'), 'tick')
  })
})

describe('an id', () => {
  test('that is empty is sent, for it resets', () => {
    assert.equal(wire({ id: '' }), 'id: \n\n')
  })

  test('of 0 is sent', () => {
    assert.equal(wire({ id: '0', data: '' }), 'id: 0\ndata: \n\n')
  })

  test('alone is a block', () => {
    assert.equal(wire({ id: '5' }), 'id: 5\n\n')
  })

  test('may have inner spaces and any letters', () => {
    assert.equal(wire({ id: 'ä b:漢' }), 'id: ä b:漢\n\n')
  })

  test('with CR, LF, NUL or another control character is refused', () => {
    for (const id of ['a\nb', 'a\r', '\0', 'a\tb', '\x1b', '\x7f', '\x85']) {
      refuses(() => encode({ id }), 'SLUICE_BAD_ID', 'control character')
    }
  })

  test('with outer spaces is refused, for a header would lose them', () => {
    refuses(() => encode({ id: ' a' }), 'SLUICE_BAD_ID', '" a"', 'space')
    refuses(() => encode({ id: 'a ' }), 'SLUICE_BAD_ID', 'space')
    refuses(() => encode({ id: ' ' }), 'SLUICE_BAD_ID', 'space')
  })

  test('of more than 128 bytes is refused, counted in UTF-8', () => {
    assert.equal(wire({ id: 'a'.repeat(128) }), `id: ${'a'.repeat(128)}\n\n`)
    assert.equal(wire({ id: '€'.repeat(42) }), `id: ${'€'.repeat(42)}\n\n`)
    for (const id of ['a'.repeat(129), '€'.repeat(43), 'é'.repeat(65), '\uD83D'.repeat(43)]) {
      refuses(() => encode({ id }), 'SLUICE_BAD_ID', '128 bytes')
    }
  })

  test('that is not a string is refused', () => {
    for (const id of [0, 7, null, {}]) {
      refuses(() => encode({ id: untyped(id), data: 'd' }), 'SLUICE_BAD_ID', 'string')
    }
  })

  test('is given back by its check as the client will bring it back', () => {
    assert.equal(checkId('a b'), 'a b')
    assert.equal(checkId('a\uD83D'), 'a\uFFFD')
  })
})

describe('a retry', () => {
  test('goes out in plain digits up to the largest safe integer', () => {
    assert.equal(wire({ retry: Number.MAX_SAFE_INTEGER }), 'retry: 9007199254740991\n\n')
    assert.equal(wire({ retry: -0 }), 'retry: 0\n\n')
  })

  test('that is not a safe integer of 0 or more is refused', () => {
    for (const retry of [-1, 1.5, Number.NaN, Infinity, 2 ** 53, '1000', null, 5n]) {
      refuses(() => encode({ retry: untyped(retry), data: 'd' }), 'SLUICE_BAD_RETRY', 'safe integer')
    }
  })
})

describe('a comment', () => {
  test('alone is a block that fires nothing', () => {
    assert.equal(wire({ comment: 'hello' }), ': hello\n\n')
  })

  test('that is empty is a bare colon', () => {
    assert.equal(wire({ comment: '' }), ':\n\n')
  })

  test('has the prefix on every line, so that none becomes a field', () => {
    assert.equal(wire({ comment: 'a\ndata: x\r\n\rb' }), ': a\n: data: x\n:\n: b\n\n')
  })

  test('that is not a string is refused', () => {
    for (const comment of [7, null, ['a']]) {
      refuses(() => encode({ comment: untyped(comment) }), 'SLUICE_BAD_COMMENT', 'string')
    }
  })
})

describe('an event', () => {
  test('with nothing to send is refused', () => {
    for (const event of [{}, { key: 'k' }, { data: undefined }, { event: '' }]) {
      refuses(() => encode(event), 'SLUICE_BAD_EVENT', 'nothing to send', 'data')
    }
  })

  test('that is not an object is refused with the cure', () => {
    for (const event of ['text', null, undefined, 7, ['data']]) {
      refuses(() => encode(untyped(event)), 'SLUICE_BAD_EVENT', 'pass { data: … }')
    }
    refuses(() => encode(untyped('text')), 'SLUICE_BAD_EVENT', '"text"')
  })

  test('with a key that is not a string is refused', () => {
    refuses(() => encode({ data: 'd', key: untyped(5) }), 'SLUICE_BAD_KEY', '5', 'string')
  })

  test('of maxEventBytes is sent, of a byte more is refused', () => {
    const bytes = encode({ data: 'é', retry: 1 })
    assert.deepEqual(encode({ data: 'é', retry: 1 }, { maxEventBytes: bytes.length }), bytes)
    const maxEventBytes = bytes.length - 1
    refuses(() => encode({ data: 'é', retry: 1 }, { maxEventBytes }), 'SLUICE_EVENT_TOO_LARGE', '20', '19')
  })

  test('of more than 1 MiB is refused by default', () => {
    const room = 1_048_576 - 'data: \n\n'.length
    assert.equal(encode({ data: 'a'.repeat(room) }).length, 1_048_576)
    refuses(
      () => encode({ data: 'a'.repeat(room + 1) }),
      'SLUICE_EVENT_TOO_LARGE',
      '1048576',
      'maxEventBytes',
    )
  })

  test('is refused as too large by each of its fields, before anything is copied', () => {
    const text = 'a'.repeat(100)
    for (const event of [{ data: text }, { event: text }, { id: text }, { comment: text }]) {
      refuses(() => encode(event, { maxEventBytes: 99 }), 'SLUICE_EVENT_TOO_LARGE', '100')
    }
  })

  test('is refused as too large for its line prefixes, and for its bytes beyond ASCII', () => {
    refuses(() => encode({ data: '\n'.repeat(50) }, { maxEventBytes: 100 }), 'SLUICE_EVENT_TOO_LARGE')
    refuses(() => encode({ data: '€'.repeat(50) }, { maxEventBytes: 100 }), 'SLUICE_EVENT_TOO_LARGE', '158')
  })
})

describe('the options of encode', () => {
  test('have frozen defaults', () => {
    assert.equal(ENCODE_DEFAULTS.maxEventBytes, 1_048_576)
    assert.equal(ENCODE_DEFAULTS.serialize, JSON.stringify)
    assert.ok(Object.isFrozen(ENCODE_DEFAULTS))
  })

  test('given as undefined are not given', () => {
    assert.equal(wire({ data: 1 }, { serialize: undefined, maxEventBytes: undefined }), 'data: 1\n\n')
  })

  test('that are wrong are refused by name', () => {
    refuses(() => encode({ data: 1 }, { maxEventBytes: 0 }), 'SLUICE_BAD_OPTION', 'maxEventBytes')
    refuses(() => encode({ data: 1 }, { maxEventBytes: untyped('1') }), 'SLUICE_BAD_OPTION', 'maxEventBytes')
    refuses(() => encode({ data: 1 }, { serialize: untyped(1) }), 'SLUICE_BAD_OPTION', 'serialize')
    refuses(() => encode({ data: 1 }, untyped({ serialise: 1 })), 'SLUICE_BAD_OPTION', 'serialise')
    refuses(() => encode({ data: 1 }, untyped(null)), 'SLUICE_BAD_OPTION', 'null')
  })
})

describe('the halves of encode', () => {
  test('make the same bytes as the whole', () => {
    const event = { event: 'e', id: '1', retry: 2, comment: 'c' }
    const data = serializeData({ a: 1 })
    assert.deepEqual(encodeText({ ...event, data }), encode({ ...event, data: { a: 1 } }))
  })

  test('check their fields as the whole does', () => {
    refuses(() => encodeText({ id: 'a\nb' }), 'SLUICE_BAD_ID')
    refuses(() => encodeText({}), 'SLUICE_BAD_EVENT')
    refuses(() => encodeText({ data: 'abc' }, 5), 'SLUICE_EVENT_TOO_LARGE')
  })

  test('leave a string and undefined as they are', () => {
    assert.equal(serializeData('a'), 'a')
    assert.equal(serializeData(undefined), undefined)
  })
})

// A quadratic step would take minutes here; the bound is far above what the linear one needs on a busy machine.
describe('encoding takes linear time', () => {
  function sizeOf(event: EventInput): number {
    const start = performance.now()
    const { length } = encode(event, { maxEventBytes: 64 * 1024 * 1024 })
    assert.ok(performance.now() - start < 10_000)
    return length
  }

  test('for 10 MB in one line', () => {
    assert.equal(sizeOf({ data: 'a'.repeat(10_000_000) }), 10_000_008)
  })

  test('for a million lines of data, and of comment', () => {
    assert.equal(sizeOf({ data: 'a\r\n'.repeat(1_000_000) }), 8_000_008)
    assert.equal(sizeOf({ comment: 'a\n'.repeat(1_000_000) }), 4_000_003)
  })

  test('for a million bare CRs', () => {
    assert.equal(sizeOf({ data: '\r'.repeat(1_000_000) }), 7_000_008)
  })
})

// What was encoded is decoded, whatever it holds and however its bytes are cut.

import assert from 'node:assert/strict'
import { createDecoder, type EventInput, encode, SluiceError } from '../../src/event-stream.ts'
import { specDecode } from '../support/spec-decoder.ts'
import { cut, pick, type Random, soup } from './random.ts'
import type { Target } from './target.ts'

const PIECES = [
  'a',
  ' ',
  '\n',
  '\r',
  '\r\n',
  ':',
  'data: ',
  'id: x',
  '\0',
  '\ufeff',
  'é',
  '🌊',
  '\ud800',
  '\u2028',
  '\t',
  '',
].map((one) => Buffer.from(one, 'utf16le'))
const word = (random: Random): string => Buffer.from(soup(random, PIECES, 8)).toString('utf16le')

/** Fields from chance: an event is what its seed says, so the input is the seed. */
function eventOf(random: Random): EventInput {
  const event: EventInput = {}
  if (random() < 0.8) event.data = word(random)
  if (random() < 0.4) event.event = word(random)
  if (random() < 0.4) event.id = word(random)
  if (random() < 0.3) event.comment = word(random)
  if (random() < 0.2) event.retry = pick(random, [0, 1, 1_500, Number.MAX_SAFE_INTEGER])
  return event
}

const received = (value: string): string => value.replace(/\r\n|\r/g, '\n').replace(/\p{Cs}/gu, '\ufffd')

export const roundtrip: Target = {
  name: 'roundtrip',
  input: (random) => Buffer.from(String(Math.floor(random() * 2 ** 32))),
  check(input, random) {
    const seed = Number(Buffer.from(input).toString())
    let state = seed
    const own: Random = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return state / 2 ** 32
    }
    const event = eventOf(own)
    let bytes: Uint8Array
    try {
      bytes = encode(event)
    } catch (error) {
      // Only what could do harm, or be nothing, is refused.
      assert.ok(error instanceof SluiceError, String(error))
      const { data, comment, retry } = event
      const nothing = !event.event && [data, comment, retry].every((field) => field === undefined)
      const harmful = /[\r\n]/.test(event.event ?? '') || event.id !== undefined || nothing
      assert.ok(harmful, `${error.code} for ${JSON.stringify(event)}`)
      return
    }
    const got: { event: string; data: string; lastEventId: string }[] = []
    const retries: number[] = []
    const decoder = createDecoder((one) => got.push(one), { onRetry: (ms) => retries.push(ms) })
    for (const part of cut(random, bytes)) decoder.write(part)
    decoder.end()
    const expected =
      event.data === undefined
        ? []
        : [
            {
              event: received(event.event || 'message'),
              data: received(String(event.data)),
              lastEventId: received(event.id ?? ''),
            },
          ]
    assert.deepEqual(got, expected)
    assert.deepEqual(retries, event.retry === undefined ? [] : [event.retry])
    assert.equal(decoder.lastEventId, received(event.id ?? ''))
    assert.deepEqual(specDecode(bytes).events, expected)
  },
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readLastEventId } from '../../src/core/opening.ts'

const arriving = (id: string): string => Buffer.from(id).toString('latin1')

test('a last event ID arrives as UTF-8 bytes in Latin-1 clothes', () => {
  for (const id of ['42', 'ключ', '漢字', '𝄞', 'é']) assert.equal(readLastEventId([arriving(id)]), id)
})

test('what is no UTF-8 is taken as the Latin-1 that undici sends', () => {
  assert.equal(readLastEventId(['\xe9']), 'é')
  assert.equal(readLastEventId(['\xff\xfe']), 'ÿþ')
})

test('none, an empty one and several are told apart', () => {
  assert.equal(readLastEventId([]), undefined)
  assert.equal(readLastEventId(['']), undefined)
  assert.equal(readLastEventId(['1', '1']), null)
  assert.equal(readLastEventId(['', '']), null)
})

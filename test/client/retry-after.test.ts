import assert from 'node:assert/strict'
import { test } from 'node:test'
import { retryAfter } from '../../src/client/retry-after.ts'

const NOW = Date.UTC(1994, 10, 6, 8, 49, 37)
const read = (value: string, date?: string): number | undefined =>
  retryAfter(
    new Headers(date === undefined ? { 'Retry-After': value } : { 'Retry-After': value, Date: date }),
    () => NOW - 10_000,
  )

test('seconds', () => {
  assert.equal(read('0'), 0)
  assert.equal(read('120'), 120_000)
  assert.equal(read(' 5 '), 5_000)
})

test('an HTTP-date in each of its three forms', () => {
  assert.equal(read('Sun, 06 Nov 1994 08:49:37 GMT'), 10_000)
  assert.equal(read('Sunday, 06-Nov-94 08:49:37 GMT'), 10_000)
  assert.equal(read('Sun Nov  6 08:49:37 1994'), 10_000)
})

test("counted from the response's own Date where there is one, since clocks differ", () => {
  assert.equal(read('Sun, 06 Nov 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 08:49:34 GMT'), 3_000)
})

test('a moment that is past is now', () => {
  assert.equal(read('Sun, 06 Nov 1994 08:00:00 GMT'), 0)
})

test('what is neither is nothing', () => {
  for (const value of ['', '-1', '1.5', 'soon', '2026-11-23', '1e3', 'Xyz, 99 Foo 2020 00:00:00 GMT']) {
    assert.equal(read(value), undefined, value)
  }
  assert.equal(
    retryAfter(new Headers(), () => NOW),
    undefined,
  )
})

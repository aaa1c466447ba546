import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Backoff } from '../../src/client/backoff.ts'
import { seeded } from '../support/seeded.ts'

const HIGHEST = 1 - Number.EPSILON

test('the window doubles with each failure up to the cap, and starts anew', () => {
  const backoff = new Backoff({ base: 1_000, cap: 30_000 }, () => HIGHEST)
  const delays = Array.from({ length: 8 }, () => backoff.next(undefined))
  assert.deepEqual(delays, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
  backoff.failures = 0
  assert.equal(backoff.next(undefined), 1_000)
})

test('jitter is full: every delay from nothing to the window is as likely as any other', () => {
  const random = seeded(7)
  const counts = new Array<number>(10).fill(0)
  for (let n = 0; n < 10_000; n += 1) {
    const backoff = new Backoff({ base: 1_000, cap: 30_000 }, random)
    backoff.failures = 2 // a window of 4,000
    const bin = Math.min(9, Math.floor(backoff.next(undefined) / 400))
    counts[bin] = (counts[bin] ?? 0) + 1
  }
  for (const count of counts) assert.ok(Math.abs(count - 1_000) < 120, counts.join(' '))
})

test("a server's reconnection time takes the place of the base, above the cap, too", () => {
  const backoff = new Backoff({ base: 1_000, cap: 30_000 }, () => HIGHEST)
  backoff.base = 200
  assert.deepEqual([backoff.next(undefined), backoff.next(undefined)], [200, 400])
  backoff.base = 60_000
  backoff.failures = 0
  assert.deepEqual([backoff.next(undefined), backoff.next(undefined)], [60_000, 60_000])
})

test('a moment that the server named is waited for whole, and the jitter comes on top', () => {
  const backoff = new Backoff({ base: 1_000, cap: 30_000 }, () => 0)
  backoff.base = 9_000
  assert.equal(backoff.next(7_000), 7_000)
  const late = new Backoff({ base: 1_000, cap: 30_000 }, () => HIGHEST)
  late.base = 9_000 // not this, which may differ from client to client
  assert.equal(late.next(7_000), 8_000)
  assert.equal(late.next(7_000), 9_000)
})

test('a reconnection time of 0 is immediate once, and never a loop without a pause', () => {
  const backoff = new Backoff({ base: 1_000, cap: 30_000 }, () => HIGHEST)
  backoff.base = 0
  assert.deepEqual(
    Array.from({ length: 4 }, () => backoff.next(undefined)),
    [0, 200, 400, 800],
  )
})

test('no delay is longer than a timer takes, however often it failed and whatever was asked', () => {
  const backoff = new Backoff({ base: 1_000, cap: 30_000 }, () => HIGHEST)
  backoff.failures = 5_000
  assert.equal(backoff.next(undefined), 30_000)
  assert.equal(backoff.next(1e15), 2 ** 31 - 1)
  backoff.base = Number.MAX_SAFE_INTEGER
  assert.equal(backoff.next(undefined), 2 ** 31 - 1)
})

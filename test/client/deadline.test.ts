import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Deadline } from '../../src/client/deadline.ts'
import { FakeClock } from '../support/fake-clock.ts'

function deadline(ms: number): { clock: FakeClock; deadline: Deadline; expired: () => number } {
  const clock = new FakeClock()
  let count = 0
  const made = new Deadline(clock, ms, () => {
    count += 1
  })
  return { clock, deadline: made, expired: () => count }
}

test('it expires once, after its time, unless it was stopped', () => {
  const one = deadline(100)
  one.deadline.start()
  one.clock.advance(99)
  assert.equal(one.expired(), 0)
  one.clock.advance(1)
  assert.equal(one.expired(), 1)
  one.deadline.start()
  one.deadline.stop()
  one.clock.advance(1_000)
  assert.equal(one.expired(), 1)
  assert.equal(one.clock.timers, 0)
})

test('0 and Infinity are never, and take no timer', () => {
  for (const ms of [0, Infinity]) {
    const one = deadline(ms)
    one.deadline.start()
    assert.equal(one.clock.timers, 0)
  }
})

test('more than a timer takes is as long as one takes, not at once', () => {
  const one = deadline(1e12)
  one.deadline.start()
  one.clock.advance(2 ** 31 - 2)
  assert.equal(one.expired(), 0)
})

test('a timer that comes late gives what waits in the kernel a moment to be read', () => {
  const one = deadline(100)
  one.deadline.start()
  one.clock.jump(5_000)
  assert.equal(one.expired(), 0)
  one.deadline.stop() // the bytes were read
  one.clock.advance(10_000)
  assert.equal(one.expired(), 0)

  one.deadline.start()
  one.clock.jump(5_000)
  one.clock.advance(1_000)
  assert.equal(one.expired(), 1)
})

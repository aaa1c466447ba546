import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Frame } from '../../src/core/frame.ts'
import { Log, type LogBounds } from '../../src/core/log.ts'

const WIDE: LogBounds = { maxEvents: 1000, maxBytes: 1_000_000, maxAge: Infinity }

function frame(
  sequence: number,
  { key, size = 10, at = 0, id }: { key?: string; size?: number; at?: number; id?: string } = {},
) {
  const event = { channel: 'c', id: id ?? `e-${sequence}`, event: 'message', data: sequence, key }
  return new Frame(sequence, at, new Uint8Array(size), event, id !== undefined)
}

/** The sequences that a reader standing after `after` would get. */
function readable(log: Log, after = 0): number[] {
  const sequences: number[] = []
  for (let index = log.indexAfter(after); index < log.end; index += 1) {
    const one = log.at(index)
    if (one) sequences.push(one.sequence)
  }
  return sequences
}

test('an empty log has nothing to read and has lost nothing', () => {
  const log = new Log(WIDE, false, 0)
  assert.equal(log.count, 0)
  assert.equal(log.newest, 0)
  assert.equal(log.oldest, undefined)
  assert.equal(log.latest, undefined)
  assert.deepEqual(readable(log), [])
})

test('every cursor finds the exact suffix, also where positions have holes', () => {
  const log = new Log(WIDE, false, 0)
  const sequences = [2, 3, 7, 8, 9, 20, 21, 22, 23, 40]
  for (const sequence of sequences) log.append(frame(sequence))
  for (let after = 0; after <= 41; after += 1) {
    assert.deepEqual(
      readable(log, after),
      sequences.filter((one) => one > after),
      `after ${after}`,
    )
  }
})

test('the oldest go when there are more than maxEvents, and the loss is known', () => {
  const log = new Log({ ...WIDE, maxEvents: 3 }, false, 0)
  for (let sequence = 1; sequence <= 5; sequence += 1) log.append(frame(sequence))
  assert.deepEqual(readable(log), [3, 4, 5])
  assert.equal(log.lostThrough, 2)
  assert.equal(log.bytes, 30)
  assert.equal(log.oldest?.sequence, 3)
})

test('the oldest go when there are more than maxBytes, but the newest stays whatever its size', () => {
  const log = new Log({ ...WIDE, maxBytes: 25 }, false, 0)
  log.append(frame(1))
  log.append(frame(2))
  log.append(frame(3))
  assert.deepEqual(readable(log), [2, 3])
  log.append(frame(4, { size: 100 }))
  assert.deepEqual(readable(log), [4])
  assert.equal(log.lostThrough, 3)
  assert.equal(log.bytes, 100)
})

test('what is older than maxAge goes', () => {
  const log = new Log({ ...WIDE, maxAge: 100 }, false, 0)
  for (const [sequence, at] of [
    [1, 0],
    [2, 50],
    [3, 99],
  ] as const)
    log.append(frame(sequence, { at }))
  log.expire(100)
  assert.deepEqual(readable(log), [1, 2, 3])
  log.expire(150)
  assert.deepEqual(readable(log), [2, 3])
  log.expire(1000)
  assert.deepEqual(readable(log), [])
  assert.equal(log.lostThrough, 3)
  assert.equal(log.newest, 3)
  assert.equal(log.bytes, 0)
})

test("the bytes of a frame's variants count", () => {
  const log = new Log({ ...WIDE, maxBytes: 100 }, false, 0)
  const first = frame(1)
  log.append(first)
  log.grow(first, 50)
  assert.equal(log.bytes, 60)
  log.append(frame(2, { size: 60 }))
  assert.deepEqual(readable(log), [2])
  assert.equal(log.bytes, 60)
})

test("a publisher's own id is found as long as its frame is there; the newest of two that share it", () => {
  const log = new Log({ ...WIDE, maxEvents: 2 }, false, 0)
  log.append(frame(1, { id: 'a' }))
  assert.equal(log.find('a'), 1)
  assert.equal(log.find('b'), undefined)
  log.append(frame(2, { id: 'a' }))
  assert.equal(log.find('a'), 2)
  log.append(frame(3, { id: 'b' }))
  assert.equal(log.find('a'), 2)
  log.append(frame(4))
  assert.equal(log.find('a'), undefined)
  assert.equal(log.find('b'), 3)
  assert.equal(log.find('e-4'), undefined)
})

test('a log that conflates keeps the newest of each key beyond its bounds, in order, and has lost nothing by it', () => {
  const log = new Log({ ...WIDE, maxEvents: 4 }, true, 0)
  log.append(frame(1, { key: 'a' }))
  log.append(frame(2, { key: 'b' }))
  for (let sequence = 3; sequence <= 9; sequence += 1) log.append(frame(sequence, { key: 'c' }))
  assert.deepEqual(readable(log), [1, 2, 8, 9])
  assert.equal(log.lostThrough, 0)
  assert.equal(log.count, 4)
  assert.equal(log.bytes, 40)
  // A reader further on reads from there.
  assert.deepEqual(readable(log, 1), [2, 8, 9])
  // A key that comes again leaves the compacted part.
  log.append(frame(10, { key: 'a' }))
  assert.deepEqual(readable(log), [2, 8, 9, 10])
  assert.equal(log.lostThrough, 0)
})

test('events without a key share one', () => {
  const log = new Log({ ...WIDE, maxEvents: 2 }, true, 0)
  for (let sequence = 1; sequence <= 5; sequence += 1) log.append(frame(sequence))
  log.append(frame(6, { key: 'a' }))
  assert.deepEqual(readable(log), [5, 6])
  assert.equal(log.lostThrough, 0)
})

test('more keys than the bounds allow are a loss, the oldest first', () => {
  const log = new Log({ ...WIDE, maxEvents: 3 }, true, 0)
  for (let sequence = 1; sequence <= 5; sequence += 1) log.append(frame(sequence, { key: `k${sequence}` }))
  assert.deepEqual(readable(log), [3, 4, 5])
  assert.equal(log.lostThrough, 2)
})

test('a log that conflates agrees with a plain model, over many orders of keys', () => {
  let seed = 1
  const random = (below: number): number => {
    seed = (seed * 48271) % 2147483647
    return seed % below
  }
  for (let round = 0; round < 50; round += 1) {
    const maxEvents = 2 + random(12)
    const keys = 1 + random(20)
    const log = new Log({ ...WIDE, maxEvents }, true, 0)
    const newest = new Map<string, number>()
    for (let sequence = 1; sequence <= 300; sequence += 1) {
      const key = `k${random(keys)}`
      log.append(frame(sequence, { key }))
      newest.set(key, sequence)
      const there = readable(log)
      assert.ok(log.count <= maxEvents)
      assert.equal(log.count, there.length)
      assert.equal(log.bytes, there.length * 10)
      assert.deepEqual(
        there,
        [...there].sort((a, b) => a - b),
      )
      // What a reader is not told to have lost, it finds: the newest of every key.
      for (const [one, position] of newest) {
        assert.ok(
          position <= log.lostThrough || there.includes(position),
          `key ${one} at ${position} is gone untold`,
        )
      }
      const after = random(sequence + 1)
      assert.deepEqual(
        readable(log, after),
        there.filter((one) => one > after),
      )
    }
  }
})

test('keys expire with their frames', () => {
  const log = new Log({ maxEvents: 2, maxBytes: 1000, maxAge: 100 }, true, 0)
  log.append(frame(1, { key: 'a', at: 0 }))
  log.append(frame(2, { key: 'b', at: 10 }))
  log.append(frame(3, { key: 'b', at: 20 }))
  assert.deepEqual(readable(log), [1, 3])
  log.expire(110)
  assert.deepEqual(readable(log), [3])
  assert.equal(log.lostThrough, 1)
})

test('new bounds hold at once, and conflation can be switched on and off', () => {
  const log = new Log(WIDE, false, 0)
  for (let sequence = 1; sequence <= 6; sequence += 1)
    log.append(frame(sequence, { key: sequence % 2 ? 'odd' : 'even' }))
  log.configure({ ...WIDE, maxEvents: 3 }, true)
  assert.deepEqual(readable(log), [4, 5, 6])
  assert.equal(log.lostThrough, 0)
  log.append(frame(7, { key: 'odd' }))
  log.append(frame(8, { key: 'odd' }))
  log.append(frame(9, { key: 'odd' }))
  assert.deepEqual(readable(log), [6, 8, 9])
  log.configure({ ...WIDE, maxEvents: 3 }, false)
  assert.deepEqual(readable(log), [8, 9])
  assert.equal(log.lostThrough, 7)
  log.append(frame(10, { key: 'odd' }))
  log.append(frame(11, { key: 'odd' }))
  assert.deepEqual(readable(log), [9, 10, 11])
  assert.equal(log.lostThrough, 8)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryBus } from '../../src/bus/memory.ts'
import { SluiceError } from '../../src/core/errors.ts'
import { heard } from '../support/bus.ts'
import { busContract, readAll } from './contract.ts'

busContract('memory', async () => {
  const first = memoryBus()
  return { bus: async () => first.share(), close: () => first.close() }
})

const body = (size: number) => new Uint8Array(size)

test('trims by count, and tells exactly who has missed something', async () => {
  const bus = memoryBus({ maxEvents: 3 })
  for (let at = 0; at < 10; at += 1) await bus.append('c', body(1))
  assert.deepEqual(
    (await readAll(bus)).map(({ position, previous }) => [position, previous]),
    [
      [8, 7],
      [9, 8],
      [10, 9],
    ],
  )
  for (const [after, lost] of [
    [0, 'trimmed'],
    [6, 'trimmed'],
    [7, undefined],
    [10, undefined],
    [99, undefined],
  ] as const) {
    assert.equal((await bus.read(after, 10)).lost, lost, `after ${after}`)
  }
})

test('trims by bytes, names included, and always holds the newest', async () => {
  const bus = memoryBus({ maxBytes: 100 })
  await bus.append('c', body(40), { dedupe: 'twenty characters …!' })
  await bus.append('c', body(40))
  assert.deepEqual(
    (await readAll(bus)).map(({ position }) => position),
    [2],
  )
  assert.equal(await bus.append('c', body(1_000)), 3)
  assert.deepEqual(
    (await readAll(bus)).map(({ position }) => position),
    [3],
  )
})

test('a dedupe name is forgotten with its entry', async () => {
  const bus = memoryBus({ maxEvents: 1 })
  assert.equal(await bus.append('c', body(1), { dedupe: 'a' }), 1)
  assert.equal(await bus.append('c', body(1), { dedupe: 'a' }), 1)
  assert.equal(await bus.append('c', body(1)), 2)
  assert.equal(await bus.append('c', body(1), { dedupe: 'a' }), 3)
})

test('a burst larger than the log shows in the feed as a hole', async () => {
  const bus = memoryBus({ maxEvents: 2 })
  const feed = heard()
  await bus.tail(feed.listener)
  await Promise.all([1, 2, 3, 4].map(() => bus.append('c', body(1))))
  await feed.until(() => feed.entries.length === 2, 'what is held')
  assert.deepEqual(
    feed.entries.map(({ position, previous }) => [position, previous]),
    [
      [3, 2],
      [4, 3],
    ],
  )
})

test('who publishes may write into the buffer again', async () => {
  const bus = memoryBus()
  const buffer = Uint8Array.of(1)
  await bus.append('c', buffer)
  buffer[0] = 2
  assert.deepEqual([...((await bus.read(0, 1)).entries[0]?.body ?? [])], [1])
})

test('options are checked', () => {
  for (const options of [{ maxEvents: 0 }, { maxBytes: 1.5 }, { pageBytes: '1' }, { size: 1 }]) {
    assert.throws(
      () => memoryBus(options as never),
      (error) => error instanceof SluiceError && error.code === 'SLUICE_BAD_OPTION',
    )
  }
})

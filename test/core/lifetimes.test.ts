import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CloseReason } from '../../src/core/close.ts'
import { GENERATION, Lifetimes } from '../../src/core/lifetimes.ts'
import { CoreHub } from '../support/core-hub.ts'

const closed = (age: number, silence = age, reason: CloseReason = 'client', events = 0) => ({
  reason,
  age,
  silence,
  events,
  bytes: 10,
})
const opened = { resumed: false, told: true, encoding: undefined }

test('what a hub records at open and close is the evidence', async () => {
  const hub = new CoreHub({ heartbeat: Infinity })
  const [id = ''] = await hub.count('a', 1, 1)
  const first = hub.open({ channels: ['a'] })
  const second = hub.open({ channels: ['a'] }, id)
  hub.fake.advance(400)
  first.sink.close()
  hub.fake.advance(1_600)
  await hub.count('a', 2, 2)
  hub.fake.advance(3_000)
  second.sink.close('dead')
  const { lifetimes } = hub.stats()
  assert.deepEqual(lifetimes.dead, {
    count: 1,
    age: { p50: 5_000, p90: 5_000, p99: 5_000 },
    silence: { p50: 3_000, p90: 3_000, p99: 3_000 },
  })
  assert.equal(lifetimes.client.age.p50, 400)
  assert.deepEqual(hub.diagnose(), [])
})

test('evidence counts what the rules need', () => {
  const lifetimes = new Lifetimes(0)
  lifetimes.opened(opened, 1)
  lifetimes.opened({ resumed: true, told: false, encoding: 'gzip' }, 2)
  lifetimes.opened({ resumed: true, told: false, encoding: 'gzip' }, 3)
  lifetimes.closed(closed(500), 4)
  lifetimes.closed(closed(5_000), 5)
  lifetimes.closed(closed(5_000, 1_000), 6)
  lifetimes.closed(closed(700, 700, 'client', 3), 7)
  lifetimes.closed(closed(9_000, 9_000, 'rotated'), 8)
  const evidence = lifetimes.evidence(10)
  assert.deepEqual([evidence.opened, evidence.resumed, evidence.told], [3, 2, 1])
  assert.deepEqual([evidence.bare, evidence.early], [2, 1])
  assert.deepEqual({ ...evidence.encodings }, { gzip: 2 })
  assert.deepEqual([evidence.closes.client, evidence.closes.rotated], [4, 1])
  assert.deepEqual(evidence.endings, [
    [500, 500, 0],
    [5_000, 5_000, 0],
    [5_000, 1_000, 0],
    [700, 700, 3],
  ])
  // Our own ends are no evidence against others.
  assert.ok(evidence.ages.every(({ max }) => max <= 5_000))
  assert.deepEqual(JSON.parse(JSON.stringify(evidence)), { ...evidence, encodings: { gzip: 2 } })
})

test('evidence is forgotten after two generations at the latest; the statistics stay', () => {
  const lifetimes = new Lifetimes(0)
  lifetimes.opened(opened, 10)
  lifetimes.closed(closed(5), 15)
  assert.equal(lifetimes.evidence(GENERATION - 1).closes.client, 1)
  assert.equal(lifetimes.evidence(2 * GENERATION - 1).closes.client, 1)
  assert.equal(lifetimes.evidence(2 * GENERATION).closes.client, 0)
  assert.equal(lifetimes.evidence(2 * GENERATION).opened, 0)
  lifetimes.closed(closed(5), 9 * GENERATION)
  assert.equal(lifetimes.evidence(9 * GENERATION).closes.client, 1)
  assert.equal(lifetimes.evidence(12 * GENERATION).closes.client, 0)
  assert.equal(lifetimes.summary().client.count, 2)
})

test('names of encodings and endings kept are bounded', () => {
  const lifetimes = new Lifetimes(0)
  for (let n = 0; n < 10_000; n += 1) {
    lifetimes.opened({ ...opened, encoding: `x-${n}` }, n)
    lifetimes.closed(closed(n), n)
  }
  const { encodings, endings } = lifetimes.evidence(10_000)
  assert.equal(Object.keys(encodings).length, 9)
  assert.equal(encodings.other, 9_992)
  assert.ok(endings.length > 256 && endings.length <= 512, `${endings.length}`)
  // Evenly over all of them.
  const [middle] = endings[Math.floor(endings.length / 2)] ?? [0]
  assert.ok(Math.abs(middle - 5_000) < 200, `${middle}`)
})

test('a burst is a second that has most of the reconnects around it, and fifty', () => {
  const burst = (at: (n: number) => number, count: number) => {
    const lifetimes = new Lifetimes(0)
    const times = Array.from({ length: count }, (_, n) => at(n)).sort((a, b) => a - b)
    for (const time of times) lifetimes.opened({ ...opened, resumed: true }, time)
    return lifetimes.evidence(120_000).burst
  }
  const none = { reconnects: 0, seconds: 0, peak: 0 }
  assert.deepEqual(
    burst((n) => 60_100 + n, 300),
    { reconnects: 300, seconds: 1, peak: 300 },
  )
  assert.deepEqual(
    burst((n) => 60_100 + n * 10, 49),
    none,
  )
  // Spread over ten seconds, as reconnectOver asks for, and a steady stream.
  assert.deepEqual(
    burst((n) => 60_000 + n * 2, 5_000),
    none,
  )
  assert.deepEqual(
    burst((n) => n * 10, 11_000),
    none,
  )
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sweepPeriod } from '../../src/core/sweep.ts'
import { CoreHub, numbers } from '../support/core-hub.ts'

const heartbeats = (text: string): number => text.split('\n\n').filter((block) => block === ':').length

test('only the silent get a heartbeat, and never later than asked for', () => {
  const hub = new CoreHub({ heartbeat: 10_000 })
  const silent = hub.open({ channels: ['quiet'] })
  const busy = hub.open({ channels: ['busy'] })
  let last = 0
  let written = silent.sink.writes.length
  for (let second = 1; second <= 100; second += 1) {
    void hub.publish('busy', { data: second })
    hub.fake.advance(1_000)
    if (silent.sink.writes.length > written) {
      written = silent.sink.writes.length
      last = second
    }
    assert.ok(second - last <= 10, `silent for ${second - last} s`)
  }
  assert.ok(heartbeats(silent.sink.text) >= 10 && heartbeats(silent.sink.text) <= 12)
  assert.equal(heartbeats(busy.sink.text), 0)
  assert.deepEqual(silent.sink.data, [])
})

test('a heartbeat of Infinity is none', () => {
  const hub = new CoreHub({ heartbeat: Infinity })
  const { sink } = hub.open({ channels: ['a'] })
  hub.fake.advance(1_000_000)
  assert.equal(sink.writes.length, 1)
})

test('a blocked connection gets no heartbeat, and is closed as stalled when nothing was taken for stallTimeout', async () => {
  const hub = new CoreHub({ heartbeat: 5_000, stallTimeout: 20_000 })
  const { connection, sink } = hub.open({ channels: ['a'] }, undefined, true)
  hub.fake.advance(19_000)
  assert.equal(connection.isOpen, true)
  assert.equal(sink.writes.length, 1)
  hub.fake.advance(3_000)
  assert.equal(sink.destroyed, true)
  assert.equal((await connection.closed).reason, 'stalled')
  assert.equal(hub.stats().closes.stalled, 1)
  assert.equal(hub.stats().stalls, 1)
})

test('a slow reader that still takes its writes is not stalled', () => {
  const hub = new CoreHub({ stallTimeout: 10_000 })
  const { connection, sink } = hub.open({ channels: ['a'] }, undefined, true)
  for (let n = 1; n <= 20; n += 1) {
    void hub.publish('a', { data: String(n) })
    hub.fake.advance(8_000)
    sink.take()
    hub.fake.settle()
  }
  assert.equal(connection.isOpen, true)
  sink.take()
  assert.deepEqual(sink.data, numbers(1, 20))
})

test('an event loop that was held up makes nobody look stalled', () => {
  const hub = new CoreHub({ stallTimeout: 1_000 })
  const { connection, sink } = hub.open({ channels: ['a'] }, undefined, true)
  hub.fake.advance(500)
  hub.fake.jump(60_000)
  hub.fake.jump(60_000)
  assert.equal(connection.isOpen, true)
  sink.take()
  hub.fake.advance(500)
  assert.equal(connection.isOpen, true)
})

test('maxAge ends every connection between 80 and 100 % of it, after what was queued', async () => {
  const draws = [0, 0.5, 0.999]
  const hub = new CoreHub({ maxAge: 100_000, random: () => draws.shift() ?? 0 })
  const opened = [0, 1, 2].map(() => hub.open({ channels: ['a'] }))
  const ages: number[] = []
  for (const { connection } of opened) void connection.closed.then(({ age }) => ages.push(age))
  for (let second = 0; second < 110; second += 1) {
    hub.fake.advance(1_000)
    await Promise.resolve()
  }
  await Promise.all(opened.map(({ connection }) => connection.closed))
  assert.deepEqual(
    (await Promise.all(opened.map(({ connection }) => connection.closed))).map(({ reason }) => reason),
    ['rotated', 'rotated', 'rotated'],
  )
  assert.deepEqual(ages, [80_000, 90_000, 100_000])
})

test('a connection that was ended but whose peer does not take it is given up after stallTimeout, its reason kept', async () => {
  const hub = new CoreHub({ stallTimeout: 5_000 })
  const { connection, sink } = hub.open({ channels: ['a'] })
  hub.fake.settle()
  sink.clock = undefined
  connection.send({ data: 'bye' })
  connection.close()
  hub.fake.settle()
  assert.equal(sink.ended, true)
  assert.equal(hub.stats().connections, 1)
  hub.fake.advance(7_000)
  assert.equal(sink.destroyed, true)
  assert.equal((await connection.closed).reason, 'closed')
  assert.equal(hub.stats().connections, 0)
})

test('the sweep runs only while there is something to look at', () => {
  const hub = new CoreHub({ channelDefaults: { maxAge: 10_000 } })
  assert.equal(hub.fake.timers, 0)
  const { sink } = hub.open({ channels: ['a'] })
  assert.equal(hub.fake.timers, 1)
  hub.open({ channels: ['a'] }).sink.close()
  assert.equal(hub.fake.timers, 1)
  sink.close()
  hub.fake.advance(30_000)
  assert.equal(hub.fake.timers, 0)
})

test('a sweep comes often enough for the shortest time it watches, and at least once a second', () => {
  assert.equal(sweepPeriod(20_000, 30_000), 1_000)
  assert.equal(sweepPeriod(2_500, 30_000), 250)
  assert.equal(sweepPeriod(Infinity, 100), 10)
  assert.equal(sweepPeriod(10, Infinity), 5)
})

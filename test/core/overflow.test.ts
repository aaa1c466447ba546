import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CoreHub, numbers } from '../support/core-hub.ts'

test("overflow 'gap': a lagging reader skips to the oldest frame kept and is told what it missed, once", async () => {
  const hub = new CoreHub({ channelDefaults: { maxEvents: 5 } })
  const { sink } = hub.open({ channels: ['a'] }, undefined, true)
  await hub.count('a', 1, 20)
  sink.take()
  hub.fake.settle()
  sink.take()
  hub.fake.settle()
  assert.deepEqual(sink.data, numbers(16, 20))
  const gaps = sink.events.filter(({ event }) => event === 'gap')
  assert.equal(gaps.length, 1)
  assert.deepEqual(JSON.parse(gaps[0]?.data ?? ''), {
    reason: 'evicted',
    channel: 'a',
    requested: `${hub.epoch}-0`,
    oldest: `${hub.epoch}-16`,
    newest: `${hub.epoch}-20`,
  })
})

test('a gap comes with the event that it leads to, however fast the log moves on: a lagging reader gets events, not only gaps', () => {
  const hub = new CoreHub({ channelDefaults: { maxEvents: 5 } })
  const { sink } = hub.open({ channels: ['a'] }, undefined, true)
  let published = 0
  const publish = (): void => {
    published += 1
    // Larger than what is copied behind a gap.
    void hub.publish('a', { data: `${published} ${'x'.repeat(5_000)}` })
  }
  for (let n = 0; n < 20; n += 1) publish()
  for (let writes = 0; writes < 100; writes += 1) {
    // Each write takes as long as it takes the log to lose its oldest event.
    publish()
    sink.take()
    hub.fake.settle()
  }
  const numbersSeen = sink.data.map((data) => Number(data.split(' ')[0]))
  assert.ok(numbersSeen.length >= 49, `${numbersSeen.length} events in ${sink.writes.length} writes`)
  // What each gap names, and nothing else, is missing in front of the next event.
  let last = 0
  for (const { event, data } of sink.events) {
    if (event === 'gap') {
      const { requested, oldest } = JSON.parse(data)
      assert.equal(requested, `${hub.epoch}-${last}`)
      last = Number(oldest.split('-')[1]) - 1
    } else {
      assert.equal(Number(data.split(' ')[0]), last + 1)
      last += 1
    }
  }
})

test('the event that a gap leads to is not sent to who has stopped reading its channel, nor out of place', () => {
  const big = (name: string): string => `${name} ${'x'.repeat(5_000)}`
  const lag = (): { hub: CoreHub; opened: ReturnType<CoreHub['open']> } => {
    const hub = new CoreHub({ channelDefaults: { maxEvents: 2 } })
    const opened = hub.open({ channels: ['a'] }, undefined, true)
    for (let n = 1; n <= 5; n += 1) void hub.publish('a', { data: big(`a${n}`) })
    opened.sink.take()
    hub.fake.settle()
    assert.match(opened.sink.text, /event: gap/)
    for (let n = 6; n <= 9; n += 1) void hub.publish('a', { data: big(`a${n}`) })
    return { hub, opened }
  }
  const drain = (hub: CoreHub, { sink }: ReturnType<CoreHub['open']>): string[] => {
    for (let n = 0; n < 10; n += 1) {
      sink.take()
      hub.fake.settle()
    }
    return sink.events.map(({ event, data }) => (event === 'gap' ? 'gap' : (data.split(' ')[0] ?? '')))
  }
  const left = lag()
  left.opened.connection.unsubscribe('a')
  left.opened.connection.subscribe('a')
  assert.deepEqual(drain(left.hub, left.opened), ['gap'])
  const sent = lag()
  sent.opened.connection.send({ data: 'private' })
  assert.deepEqual(drain(sent.hub, sent.opened), ['gap', 'a4', 'gap', 'a8', 'a9', 'private'])
  const closing = lag()
  closing.opened.connection.close()
  assert.deepEqual(drain(closing.hub, closing.opened), ['gap', 'a4', 'gap', 'a8', 'a9'])
  assert.ok(closing.opened.sink.ended)
})

test('a gap of one channel is told once even when another channel takes several writes', async () => {
  const hub = new CoreHub({ maxWriteBytes: 400 })
  hub.channel('small', { maxEvents: 2 })
  const { sink } = hub.open({ channels: ['small', 'large'] }, undefined, true)
  for (let n = 1; n <= 20; n += 1) {
    void hub.publish('large', { data: `L${n} ${'x'.repeat(40)}` })
    void hub.publish('small', { data: `s${n}` })
  }
  for (let turns = 0; turns < 20; turns += 1) {
    sink.take()
    hub.fake.settle()
  }
  assert.equal(sink.events.filter(({ event }) => event === 'gap').length, 1)
  const data = sink.data.map((one) => one.split(' ')[0])
  assert.deepEqual(data, [...numbers(1, 19).map((n) => `L${n}`), 's19', 'L20', 's20'])
})

test("overflow 'latest': a lagging reader gets the newest event of each key, in order, and no gap", async () => {
  const hub = new CoreHub()
  hub.channel('prices', { maxEvents: 4, overflow: 'latest' })
  const { sink } = hub.open({ channels: ['prices'] }, undefined, true)
  void hub.publish('prices', { key: 'btc', data: 'btc 1' })
  void hub.publish('prices', { key: 'eth', data: 'eth 1' })
  for (let n = 2; n <= 50; n += 1) void hub.publish('prices', { key: 'btc', data: `btc ${n}` })
  sink.take()
  hub.fake.settle()
  assert.deepEqual(sink.data, ['eth 1', 'btc 48', 'btc 49', 'btc 50'])
  assert.equal(sink.events.filter(({ event }) => event === 'gap').length, 0)
})

test("overflow 'latest': who starts at the oldest gets the state, and who resumes far behind no gap", async () => {
  const hub = new CoreHub()
  hub.channel('prices', { maxEvents: 3, overflow: 'latest' })
  const published = [
    hub.publish('prices', { key: 'a', data: 'a1' }),
    hub.publish('prices', { key: 'b', data: 'b1' }),
  ]
  hub.fake.settle()
  const [first] = await Promise.all(published)
  for (let n = 2; n <= 9; n += 1) void hub.publish('prices', { key: 'a', data: `a${n}` })
  assert.deepEqual(hub.open({ channels: ['prices'], from: 'oldest' }).sink.data, ['b1', 'a8', 'a9'])
  const resumed = hub.open({ channels: ['prices'] }, first)
  assert.equal(resumed.headers.get('Sluice-Resume'), 'full')
  assert.deepEqual(resumed.sink.data, ['b1', 'a8', 'a9'])
})

test("overflow 'disconnect': who falls off is closed, and resumes with a gap", async () => {
  const hub = new CoreHub({ channelDefaults: { maxEvents: 3, overflow: 'disconnect' } })
  const { connection, sink } = hub.open({ channels: ['a'] }, undefined, true)
  const [first] = await hub.count('a', 1, 10)
  sink.take()
  hub.fake.settle()
  assert.equal((await connection.closed).reason, 'overflow')
  assert.deepEqual(sink.data, [])
  assert.equal(hub.open({ channels: ['a'] }, first).headers.get('Sluice-Resume'), 'gap')
  // Within the log it may lag.
  const lagging = hub.open({ channels: ['a'] }, undefined, true)
  await hub.count('a', 11, 13)
  lagging.sink.take()
  hub.fake.settle()
  assert.deepEqual(lagging.sink.data, numbers(11, 13))
})

test('a thousand stalled readers hold the log once: none has a queue of its own', async () => {
  const hub = new CoreHub({ channelDefaults: { maxEvents: 50 } })
  const stalled = Array.from({ length: 1_000 }, () => hub.open({ channels: ['a'] }, undefined, true))
  const healthy = hub.open({ channels: ['a'] })
  const opening = stalled[0]?.connection.bufferedBytes ?? 0
  for (let n = 1; n <= 1_000; n += 1) await hub.count('a', n, n)
  for (const { connection } of stalled) assert.equal(connection.bufferedBytes, opening)
  assert.deepEqual(healthy.sink.data, numbers(1, 1_000))
  assert.equal(hub.stats().logBytes, hub.findChannel('a')?.log.bytes)
  assert.equal(hub.findChannel('a')?.log.count, 50)
})

test('what a write holds for a lagging reader is shared, behind a gap as well', async () => {
  const hub = new CoreHub({ channelDefaults: { maxEvents: 40 } })
  const readers = Array.from({ length: 3 }, () => hub.open({ channels: ['a'] }, undefined, true))
  for (let n = 0; n < 100; n += 1) void hub.publish('a', { data: 'x'.repeat(900) })
  hub.fake.settle()
  for (let n = 0; n < 10; n += 1) {
    for (const { sink } of readers) sink.take()
    hub.fake.settle()
  }
  const shared = readers.map(({ sink }) => {
    const [opening, gap, rest] = sink.writes
    assert.ok((opening?.length ?? 0) < 100)
    assert.match(new TextDecoder().decode(gap), /^event: gap/)
    assert.ok((gap?.length ?? 0) <= 4_096, 'a little of the log is copied behind the gap')
    assert.ok((rest?.length ?? 0) > 30_000)
    return rest
  })
  assert.ok(shared.every((bytes) => bytes === shared[0]))
})

test('a large event is written as it lies in the log, also behind others', async () => {
  const hub = new CoreHub()
  const readers = Array.from({ length: 3 }, () => hub.open({ channels: ['a'] }, undefined, true))
  for (const size of [10, 20_000, 10, 10]) void hub.publish('a', { data: 'x'.repeat(size) })
  for (const { sink } of readers) {
    for (let n = 0; n < 10; n += 1) {
      sink.take()
      hub.fake.settle()
    }
  }
  const log = hub.findChannel('a')?.log
  const large = log?.at(1)?.bytes
  for (const { sink } of readers) {
    assert.deepEqual(
      sink.data.map(({ length }) => length),
      [10, 20_000, 10, 10],
    )
    assert.ok(sink.writes.some((bytes) => bytes === large))
  }
})

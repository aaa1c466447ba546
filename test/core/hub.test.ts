import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CoreHub, numbers } from '../support/core-hub.ts'

test('what is published reaches the readers of the channel, and only those, in order', async () => {
  const hub = new CoreHub()
  const a = hub.open({ channels: ['a'] })
  const b = hub.open({ channels: ['b'] })
  const both = hub.open({ channels: ['a', 'b'] })
  const none = hub.open()
  await hub.count('a', 1, 3)
  await hub.count('b', 4, 5)
  await hub.count('a', 6, 6)
  assert.deepEqual(a.sink.data, ['1', '2', '3', '6'])
  assert.deepEqual(b.sink.data, ['4', '5'])
  assert.deepEqual(both.sink.data, numbers(1, 6))
  assert.deepEqual(none.sink.data, [])
})

test('all that one turn publishes leaves in one write per connection, the same bytes for all', async () => {
  const hub = new CoreHub()
  const first = hub.open({ channels: ['a'] })
  const second = hub.open({ channels: ['a'] })
  const mixed = hub.open({ channels: ['a', 'b'] })
  const alike = hub.open({ channels: ['a', 'b'] })
  hub.fake.settle()
  const before = first.sink.writes.length
  for (let n = 1; n <= 16; n += 1) void hub.publish(n % 2 ? 'a' : 'b', { data: n })
  hub.fake.settle()
  assert.equal(first.sink.writes.length, before + 1)
  assert.equal(mixed.sink.writes.length, before + 1)
  assert.equal(first.sink.writes.at(-1), second.sink.writes.at(-1))
  assert.equal(mixed.sink.writes.at(-1), alike.sink.writes.at(-1))
  assert.deepEqual(mixed.sink.data, numbers(1, 16))
})

test('a single event goes out as the very frame in the log', async () => {
  const hub = new CoreHub()
  const one = hub.open({ channels: ['a'] })
  hub.fake.settle()
  await hub.count('a', 1, 1)
  assert.equal(one.sink.writes.at(-1), hub.findChannel('a')?.log.latest?.bytes)
})

test('ids are <epoch>-<sequence> over all channels, and publish gives them', async () => {
  const hub = new CoreHub()
  const reader = hub.open({ channels: ['a', 'b'] })
  const [one] = await hub.count('a', 1, 1)
  const [two] = await hub.count('b', 2, 2)
  assert.match(one ?? '', /^[0-9a-z]{10}-1$/)
  assert.match(two ?? '', /^[0-9a-z]{10}-2$/)
  assert.equal(hub.position, two)
  assert.deepEqual(
    reader.sink.events.map(({ lastEventId }) => lastEventId),
    [one, two],
  )
  assert.notEqual(new CoreHub().position, new CoreHub().position)
})

test('a connection that opens live knows its position from the first block', () => {
  const hub = new CoreHub()
  void hub.publish('a', { data: 1 })
  const { sink } = hub.open({ channels: ['a'] })
  assert.equal(sink.text, `:\nid: ${hub.position}\n\n`)
})

test('the opening block carries the reconnection time in a block of its own', () => {
  const hub = new CoreHub({ retry: 1500 })
  assert.match(hub.open({ channels: ['a'] }).sink.text, /^retry: 1500\n\n:\nid: /)
  assert.match(hub.open({ channels: ['a'], retry: 7 }).sink.text, /^retry: 7\n\n/)
})

test('publish rejects misuse with a code, reports it, and the stream goes on', async () => {
  const hub = new CoreHub()
  const { sink } = hub.open({ channels: ['a'] })
  const refused: [unknown, unknown, string][] = [
    ['', { data: 1 }, 'SLUICE_BAD_CHANNEL'],
    ['a\nb', { data: 1 }, 'SLUICE_BAD_CHANNEL'],
    ['a\ud800', { data: 1 }, 'SLUICE_BAD_CHANNEL'],
    [7, { data: 1 }, 'SLUICE_BAD_CHANNEL'],
    ['x'.repeat(257), { data: 1 }, 'SLUICE_BAD_CHANNEL'],
    ['a', 'text', 'SLUICE_BAD_EVENT'],
    ['a', null, 'SLUICE_BAD_EVENT'],
    ['a', [], 'SLUICE_BAD_EVENT'],
    ['a', { data: 1, key: 5 }, 'SLUICE_BAD_KEY'],
    ['a', { data: 1, event: 'x\ndata: injected' }, 'SLUICE_BAD_EVENT_NAME'],
    ['a', { data: 1, id: 'x\rid: y' }, 'SLUICE_BAD_ID'],
    ['a', { data: 1, id: 'x\0' }, 'SLUICE_BAD_ID'],
    ['a', { data: 1, retry: -1 }, 'SLUICE_BAD_RETRY'],
    ['a', { data: 1, comment: 5 }, 'SLUICE_BAD_COMMENT'],
    ['a', { data: () => {} }, 'SLUICE_UNSERIALIZABLE'],
    ['a', { data: 1n }, 'SLUICE_UNSERIALIZABLE'],
    ['a', { data: 'x'.repeat(2_000_000) }, 'SLUICE_EVENT_TOO_LARGE'],
    ['a', { data: 1, id: `${hub.epoch}-1` }, 'SLUICE_RESERVED_ID'],
  ]
  for (const [channel, event, code] of refused) {
    // Wrong on purpose: what plain JavaScript could pass.
    await assert.rejects(hub.publish(channel as string, event as object), { name: 'SluiceError', code })
  }
  assert.deepEqual(
    hub.errors.map(([error]) => (error as { code: string }).code),
    refused.map(([, , code]) => code),
  )
  assert.equal(hub.stats().published, 0)
  assert.equal(hub.position.endsWith('-0'), true)
  await hub.count('a', 1, 1)
  assert.deepEqual(sink.data, ['1'])
})

test('a failed publish that nobody awaits is no unhandled rejection, and goes to the console when nobody listens', (t) => {
  const log = t.mock.method(console, 'error', () => {})
  const hub = new CoreHub()
  void hub.publish('a', { data: () => {} })
  assert.equal(log.mock.callCount(), 0)
  assert.equal(hub.errors.length, 1)
})

test("a listener of 'open' may greet, and one of 'close' hears the reason", async () => {
  const hub = new CoreHub()
  const closes: string[] = []
  hub.on('open', (connection) => void connection.send({ event: 'hello', data: connection.id }))
  hub.on('close', (connection, { reason }) => closes.push(`${connection.id} ${reason}`))
  await hub.count('a', 1, 2)
  const { connection, sink } = hub.open({ channels: ['a'], from: 'oldest' })
  hub.fake.settle()
  assert.deepEqual(sink.data, ['1', '2', connection.id])
  sink.close()
  assert.deepEqual(closes, [`${connection.id} client`])
})

test('a serializer, or a toJSON, that publishes gets a position of its own', async () => {
  const hub = new CoreHub()
  const { sink } = hub.open({ channels: ['a'] })
  const outer = {
    toJSON: () => {
      void hub.publish('a', { data: 'inner' })
      return 'outer'
    },
  }
  await hub.publish('a', { data: outer })
  hub.fake.settle()
  assert.deepEqual(sink.data, ['inner', '"outer"'])
  assert.deepEqual(
    sink.events.map(({ lastEventId }) => lastEventId),
    [`${hub.epoch}-1`, `${hub.epoch}-2`],
  )
})

test('what a listener throws is contained', (t) => {
  const log = t.mock.method(console, 'error', () => {})
  const hub = new CoreHub()
  hub.on('open', () => {
    throw new Error('open')
  })
  hub.on('error', () => {
    throw new Error('error')
  })
  const off = hub.on('close', () => {
    throw new Error('close')
  })
  const { connection, sink } = hub.open({ channels: ['a'] })
  sink.close()
  assert.equal(connection.isOpen, false)
  off()
  hub.open().sink.close()
  void hub.publish('a', {})
  assert.deepEqual(
    log.mock.calls.map((call) => (call.arguments[1] as Error).message),
    ['open', 'close', 'open', 'error'],
  )
})

test('options of a hub are refused with a code when they make no sense', () => {
  const bad: [object, RegExp][] = [
    [{ heartbeat: -1 }, /heartbeat is -1/],
    [{ heartbeat: Number.NaN }, /heartbeat is NaN/],
    [{ heartbeat: '20s' }, /heartbeat is "20s"/],
    [{ heartbeat: 60_000, proxyIdleTimeout: 60_000 }, /heartbeat is 60000, and proxyIdleTimeout 60000/],
    [{ heartbeat: Infinity, proxyIdleTimeout: [90_000, 60_000] }, /heartbeat is Infinity/],
    [{ limits: { connections: -1 } }, /limits\.connections is -1/],
    [{ limits: { connectionsPerKey: 0 } }, /limits\.connectionsPerKey is 0/],
    [{ limits: { connectionsPerChannel: Number.NaN } }, /limits\.connectionsPerChannel is NaN/],
    [{ limits: { channelsPerConnection: 1.5 } }, /limits\.channelsPerConnection is 1\.5/],
    [{ limits: { accepts: { perSecond: 0 } } }, /limits\.accepts\.perSecond is 0/],
    [{ limits: { accepts: { perSecond: 10, burst: 0 } } }, /limits\.accepts\.burst is 0/],
    [{ limits: { loopDelay: -1 } }, /limits\.loopDelay is -1/],
    [{ limits: { reconnectOver: Infinity } }, /limits\.reconnectOver is Infinity/],
    [{ limits: { perAddress: 3 } }, /limits has an option "perAddress"/],
    [{ proxyIdleTimeout: [] }, /empty list/],
    [{ proxyIdleTimeout: [60_000, -5] }, /proxyIdleTimeout is -5/],
    [{ proxyIdleTimeout: Infinity }, /proxyIdleTimeout is Infinity/],
    [{ stallTimeout: 0 }, /stallTimeout is 0/],
    [{ maxAge: 0 }, /maxAge is 0/],
    [{ maxWriteBytes: 1.5 }, /maxWriteBytes is 1.5/],
    [{ maxBufferedBytes: 100 }, /maxBufferedBytes is 100.*65536/],
    [{ maxEventBytes: 0 }, /maxEventBytes is 0/],
    [{ serialize: 'json' }, /serialize is "json"/],
    [{ random: 4 }, /random is 4/],
    [{ retry: -1 }, /retry is -1/],
    [{ variants: { 'a b': () => undefined } }, /variants has a name "a b"/],
    [{ variants: { v1: 1 } }, /variants.v1 is 1/],
    [{ fallbackVariant: 'v1' }, /fallbackVariant is "v1"/],
    [{ channelDefaults: { maxEvents: 0 } }, /maxEvents is 0/],
    [{ channelDefaults: { overflow: 'drop' } }, /overflow is "drop".*'gap', 'latest', 'disconnect'/],
    [{ channelDefaults: [] }, /channel options is an array/],
    [{ hartbeat: 5 }, /"hartbeat", which does not exist/],
  ]
  for (const [options, message] of bad) {
    assert.throws(() => new CoreHub(options), { code: 'SLUICE_BAD_OPTION', message })
  }
  assert.throws(() => new CoreHub().channel('a', { maxAge: -1 }), { code: 'SLUICE_BAD_OPTION' })
  assert.throws(() => new CoreHub().channel(''), { code: 'SLUICE_BAD_CHANNEL' })
})

test('the heartbeat is half of the shortest proxy timeout', () => {
  assert.equal(new CoreHub({ proxyIdleTimeout: 60_000 }).settings.heartbeat, 30_000)
  assert.equal(new CoreHub({ proxyIdleTimeout: [60_000, 5_000] }).settings.heartbeat, 2_500)
  assert.equal(new CoreHub({ heartbeat: Number.POSITIVE_INFINITY }).settings.heartbeat, Infinity)
  assert.equal(new CoreHub({ heartbeat: 15_000, proxyIdleTimeout: 60_000 }).settings.heartbeat, 15_000)
  // An option that is undefined is one not given.
  assert.equal(new CoreHub({ stallTimeout: undefined } as object).settings.stallTimeout, 30_000)
})

test('stats are a plain snapshot of what happened', async () => {
  const hub = new CoreHub()
  const one = hub.open({ channels: ['a', 'b'] })
  hub.open({ channels: ['a'] })
  await hub.count('a', 1, 2)
  const before = hub.stats()
  hub.fake.advance(2_000)
  one.sink.close()
  assert.deepEqual({ ...before.channels }, { a: 2, b: 1 })
  const stats = hub.stats()
  assert.equal(before.connections, 2)
  assert.equal(stats.connections, 1)
  assert.deepEqual({ ...stats.channels }, { a: 1 })
  assert.equal(stats.opened, 2)
  assert.equal(stats.published, 2)
  assert.equal(stats.delivered, 4)
  assert.equal(stats.closes.client, 1)
  assert.equal(stats.closes.stalled, 0)
  assert.equal(stats.bytes, Buffer.byteLength(one.sink.text) * 2)
  assert.equal(stats.logBytes, hub.findChannel('a')?.log.bytes)
  const { client, stalled } = stats.lifetimes
  assert.equal(client.count, 1)
  assert.ok(Math.abs(client.age.p50 - 2_000) <= 40, `age ${client.age.p50}`)
  assert.ok(Math.abs(client.silence.p99 - 2_000) <= 40, `silence ${client.silence.p99}`)
  assert.deepEqual(stalled, {
    count: 0,
    age: { p50: 0, p90: 0, p99: 0 },
    silence: { p50: 0, p90: 0, p99: 0 },
  })
  assert.deepEqual(JSON.parse(JSON.stringify(stats)).closes, stats.closes)
})

test('a burst larger than the log is paced for a publisher that waits: caught-up readers lose nothing', async () => {
  const hub = new CoreHub({ channelDefaults: { maxEvents: 100 } })
  const { sink } = hub.open({ channels: ['a'] })
  let done = false
  const publishing = (async () => {
    for (let n = 1; n <= 5_000; n += 1) await hub.publish('a', { data: n })
    done = true
  })()
  while (!done) {
    hub.fake.turn()
    await new Promise((resolve) => setImmediate(resolve))
  }
  await publishing
  hub.fake.settle()
  assert.deepEqual(sink.data, numbers(1, 5_000))
  assert.equal(hub.stats().gaps, 0)
})

test('a burst larger than the log that nobody paces is a gap that is told', async () => {
  const hub = new CoreHub({ channelDefaults: { maxEvents: 10 } })
  const { sink } = hub.open({ channels: ['a'] })
  hub.fake.settle()
  await hub.count('a', 1, 50)
  assert.deepEqual(sink.data, numbers(41, 50))
  const gap = sink.events[0]
  assert.equal(gap?.event, 'gap')
  assert.deepEqual(JSON.parse(gap?.data ?? ''), {
    reason: 'evicted',
    channel: 'a',
    requested: `${hub.epoch}-0`,
    oldest: `${hub.epoch}-41`,
    newest: `${hub.epoch}-50`,
  })
  assert.equal(hub.stats().gaps, 1)
})

test('fan-out goes in slices, and starts with another reader each time', async () => {
  let draw = 0
  const hub = new CoreHub({ random: () => draw })
  const readers = Array.from({ length: 1_200 }, () => hub.open({ channels: ['a'] }))
  hub.fake.settle()
  const written = (): number => readers.filter(({ sink }) => sink.writes.length === 2).length
  void hub.publish('a', { data: 1 })
  hub.fake.turn()
  assert.ok(written() > 0 && written() <= 128, `${written()} in the first slice`)
  assert.equal(readers[0]?.sink.writes.length, 2)
  hub.fake.settle()
  assert.equal(written(), 1_200)
  draw = 0.5
  void hub.publish('a', { data: 2 })
  hub.fake.turn()
  assert.equal(readers[600]?.sink.writes.length, 3)
  assert.equal(readers[0]?.sink.writes.length, 2)
  hub.fake.settle()
  for (const { sink } of readers) assert.deepEqual(sink.data, ['1', '2'])
})

test('readers that come and go in the middle of a sliced walk disturb nobody', async () => {
  const hub = new CoreHub({ random: () => 0 })
  const readers = Array.from({ length: 2_000 }, () => hub.open({ channels: ['a'] }))
  hub.fake.settle()
  const late = []
  for (let n = 1; n <= 40; n += 1) {
    void hub.publish('a', { data: n })
    hub.fake.turn()
    for (let gone = 0; gone < 20; gone += 1) readers[(n * 37 + gone * 53) % 2_000]?.sink.close()
    const opened = hub.open({ channels: ['a'] })
    late.push({ opened, from: n + 1 })
  }
  hub.fake.settle()
  for (const { connection, sink } of readers)
    if (connection.isOpen) assert.deepEqual(sink.data, numbers(1, 40))
  for (const { opened, from } of late) assert.deepEqual(opened.sink.data, numbers(from, 40))
})

test('a channel that nobody reads and that holds nothing is dropped, and what it lost stays known', async () => {
  const hub = new CoreHub({ channelDefaults: { maxAge: 60_000 } })
  const [, second] = await hub.count('a', 1, 2)
  const [third] = await hub.count('b', 3, 3)
  hub.fake.advance(59_000)
  assert.ok(hub.findChannel('a'))
  hub.fake.advance(62_000)
  assert.equal(hub.findChannel('a'), undefined)
  assert.equal(hub.fake.timers, 0, 'nothing left to sweep')
  // After what channel b had lost nothing can be missing anywhere; before it something may be.
  assert.equal(hub.open({ channels: ['a'] }, third).headers.get('Sluice-Resume'), 'full')
  assert.equal(hub.open({ channels: ['a'] }, second).headers.get('Sluice-Resume'), 'gap')
})

test('channels named by clients do not pile up', () => {
  const hub = new CoreHub()
  for (let n = 0; n < 25_000; n += 1) hub.open({ channels: [`c${n}`] }).sink.close()
  let there = 0
  for (let n = 0; n < 25_000; n += 1) if (hub.findChannel(`c${n}`)) there += 1
  assert.equal(there, 10_000)
  hub.fake.advance(400_000)
  assert.equal(hub.findChannel('c24999'), undefined)
})

test('close tells each client when to come back, ends after what was queued, and settles with the counts', async () => {
  const draws = [0.5, 0.1, 0.9]
  const hub = new CoreHub({ random: () => draws.shift() ?? 0.5 })
  const healthy = hub.open({ channels: ['a'] })
  const stalled = hub.open({ channels: ['a'] }, undefined, true)
  void hub.publish('a', { data: 'last' })
  const closing = hub.close({ within: 1_000, reconnectOver: 10_000 })
  assert.equal(hub.close(), closing)
  hub.fake.settle()
  assert.deepEqual(healthy.sink.data, ['last'])
  assert.match(healthy.sink.text, /\n\nretry: 9000\n\n$/)
  assert.equal((await healthy.connection.closed).reason, 'shutdown')
  hub.fake.advance(999)
  assert.equal(stalled.sink.destroyed, false)
  hub.fake.advance(1)
  assert.deepEqual(await closing, { ended: 1, destroyed: 1 })
  assert.equal(stalled.sink.destroyed, true)
  assert.equal((await stalled.connection.closed).reason, 'shutdown')
  assert.equal(hub.fake.timers, 0)
  assert.equal(hub.stats().connections, 0)
  await assert.rejects(hub.publish('a', { data: 1 }), { code: 'SLUICE_HUB_CLOSED' })
  const refused = hub.ask({ channels: ['a'] }, undefined, { accept: 'text/event-stream' })
  assert.equal('body' in refused && refused.body, 'retry: 5000\n\n')
  await assert.rejects(async () => hub.close({ within: -1 }).then(), undefined).catch(() => {})
})

test('a hub without connections closes at once, and refuses nonsense', async () => {
  const hub = new CoreHub()
  assert.throws(() => hub.close({ within: -1 }), { code: 'SLUICE_BAD_OPTION' })
  assert.throws(() => hub.close({ reconnectOver: Infinity }), { code: 'SLUICE_BAD_OPTION' })
  assert.deepEqual(await hub.close(), { ended: 0, destroyed: 0 })
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CoreHub, numbers } from '../support/core-hub.ts'

test('a private send goes to its connection only, in the order of the calls among channel events', async () => {
  const hub = new CoreHub()
  const one = hub.open({ channels: ['a', 'b'] })
  const other = hub.open({ channels: ['a', 'b'] })
  void hub.publish('a', { data: 1 })
  assert.equal(one.connection.send({ data: 'p1' }), true)
  void hub.publish('b', { data: 2 })
  one.connection.send({ event: 'note', data: 'p2' })
  one.connection.send({ data: 'p3' })
  void hub.publish('a', { data: 3 })
  hub.fake.settle()
  assert.deepEqual(one.sink.data, ['1', 'p1', '2', 'p2', 'p3', '3'])
  assert.deepEqual(other.sink.data, ['1', '2', '3'])
  // A private event moves nobody's position.
  assert.equal(one.sink.events[1]?.lastEventId, one.sink.events[0]?.lastEventId)
})

test('the order of private sends and events holds for a connection that lags', () => {
  const hub = new CoreHub()
  const { connection, sink } = hub.open({ channels: ['a'] }, undefined, true)
  const expected: string[] = []
  for (let n = 1; n <= 200; n += 1) {
    if (n % 3 === 0) connection.send({ data: `p${n}` })
    else void hub.publish('a', { data: String(n) })
    expected.push(n % 3 === 0 ? `p${n}` : String(n))
    if (n % 40 === 0) sink.take()
    hub.fake.settle()
  }
  for (let n = 0; n < 5; n += 1) {
    sink.take()
    hub.fake.settle()
  }
  assert.deepEqual(sink.data, expected)
})

test('a blocked connection is not written to until its write was taken, then gets what has gathered in one write', async () => {
  const hub = new CoreHub()
  const { connection, sink } = hub.open({ channels: ['a'] }, undefined, true)
  assert.equal(connection.bufferedBytes, sink.writes[0]?.length)
  await hub.count('a', 1, 5)
  await hub.count('a', 6, 9)
  assert.equal(sink.writes.length, 1)
  sink.take()
  assert.equal(connection.bufferedBytes, 0)
  hub.fake.settle()
  assert.equal(sink.writes.length, 2)
  assert.deepEqual(sink.data, numbers(1, 9))
})

test('one write carries maxWriteBytes at the most, unless a single event is larger', async () => {
  const hub = new CoreHub({ maxWriteBytes: 1_000 })
  const { sink } = hub.open({ channels: ['a'] }, undefined, true)
  for (let n = 0; n < 100; n += 1) void hub.publish('a', { data: 'x'.repeat(50) })
  void hub.publish('a', { data: 'y'.repeat(5_000) })
  void hub.publish('a', { data: 'z' })
  for (let turns = 0; turns < 20; turns += 1) {
    sink.take()
    hub.fake.settle()
  }
  const sizes = sink.writes.map((bytes) => bytes.length)
  assert.equal(sizes.filter((size) => size > 1_000).length, 1)
  assert.equal(sink.data.length, 102)
  assert.ok(sizes.length < 15, 'events are gathered')
})

test('private sends are bounded by maxBufferedBytes and one event, and refused beyond', async () => {
  const hub = new CoreHub({ maxWriteBytes: 100, maxBufferedBytes: 1_000 })
  const { connection, sink } = hub.open({}, undefined, true)
  let taken = 0
  while (connection.send({ data: 'x'.repeat(90) })) taken += 1
  assert.ok(connection.bufferedBytes >= 1_000 && connection.bufferedBytes < 1_000 + 98)
  let ready = false
  const waiting = connection.ready().then(() => {
    ready = true
  })
  assert.equal(connection.send({ data: 'y' }), false)
  for (let turns = 0; turns < 20; turns += 1) {
    await Promise.resolve()
    assert.equal(ready, connection.bufferedBytes < 100 && turns > 0 ? ready : false)
    sink.take()
    hub.fake.settle()
  }
  await waiting
  assert.equal(sink.data.length, taken)
  assert.equal(connection.send({ data: 'y' }), true)
})

test('ready settles at once when there is room, and when the connection closes', async () => {
  const hub = new CoreHub({ maxWriteBytes: 10, maxBufferedBytes: 10 })
  const { connection, sink } = hub.open({}, undefined, true)
  const waiting = connection.ready()
  sink.close()
  await waiting
  await connection.ready()
  assert.equal(connection.send({ data: 1 }), false)
})

test('send throws at the caller what cannot be encoded', () => {
  const hub = new CoreHub()
  const { connection, sink } = hub.open()
  assert.throws(() => connection.send({ data: 'x', event: 'a\nb' }), { code: 'SLUICE_BAD_EVENT_NAME' })
  assert.throws(() => connection.send({}), { code: 'SLUICE_BAD_EVENT' })
  assert.throws(() => connection.send('text' as unknown as object), { code: 'SLUICE_BAD_EVENT' })
  hub.fake.settle()
  assert.deepEqual(sink.data, [])
})

test('subscribe reads from now on, unsubscribe stops', async () => {
  const hub = new CoreHub()
  const { connection, sink } = hub.open({ channels: ['a'] }, undefined, true)
  await hub.count('a', 1, 1)
  await hub.count('b', 2, 2)
  connection.subscribe('b')
  connection.subscribe('b')
  assert.deepEqual(connection.channels, ['a', 'b'])
  await hub.count('b', 3, 3)
  await hub.count('a', 4, 4)
  connection.unsubscribe('a')
  connection.unsubscribe('a')
  await hub.count('b', 5, 5)
  sink.take()
  hub.fake.settle()
  assert.deepEqual(sink.data, ['3', '5'])
  assert.deepEqual(connection.channels, ['b'])
  assert.equal(hub.channel('a').size, 0)
  assert.equal(hub.channel('b').size, 1)
  assert.throws(() => connection.subscribe('\n'), { code: 'SLUICE_BAD_CHANNEL' })
  sink.close()
  assert.throws(() => connection.subscribe('c'), { code: 'SLUICE_CONNECTION_CLOSED' })
})

test('subscribing to a channel that has ended is refused: nothing would come', async () => {
  const hub = new CoreHub()
  const { connection } = hub.open({ channels: ['a'] })
  await hub.channel('b').end()
  assert.throws(() => connection.subscribe('b'), { code: 'SLUICE_CHANNEL_ENDED' })
})

test('a filter decides per connection; one that throws lets nothing pass and is reported', async () => {
  const hub = new CoreHub()
  const even = hub.open({ channels: ['a'], filter: ({ data }) => Number(data) % 2 === 0 })
  const broken = hub.open({
    channels: ['a'],
    filter: () => {
      throw new Error('broken')
    },
  })
  // Truthy is not true: a filter may be what guards the event.
  const sloppy = hub.open({ channels: ['a'], filter: (() => 'yes') as unknown as () => boolean })
  await hub.count('a', 1, 6)
  assert.deepEqual(even.sink.data, ['2', '4', '6'])
  assert.deepEqual(broken.sink.data, [])
  assert.deepEqual(sloppy.sink.data, [])
  assert.equal(hub.errors.length, 6)
  assert.deepEqual(hub.errors[0]?.[1], { during: 'filter', channel: 'a' })
})

test('a filter that passes nothing does not hold the loop: it looks at a bounded number of events a turn', async () => {
  const hub = new CoreHub({ channelDefaults: { maxEvents: 10_000 } })
  let asked = 0
  await hub.count('a', 1, 9_000)
  const { sink } = hub.open({
    channels: ['a'],
    from: 'oldest',
    filter: () => {
      asked += 1
      return asked === 9_000
    },
  })
  assert.ok(asked < 4_000)
  hub.fake.turn()
  assert.ok(asked < 8_000)
  hub.fake.settle()
  assert.deepEqual(sink.data, ['9000'])
})

test('a filter that publishes, closes or floods the log breaks nothing', async () => {
  const hub = new CoreHub({ channelDefaults: { maxEvents: 10 } })
  let flooded = false
  const flooding = hub.open({
    channels: ['a', 'b'],
    filter: () => {
      if (!flooded) {
        flooded = true
        for (let n = 0; n < 30; n += 1) void hub.publish('a', { data: `flood ${n}` })
      }
      return true
    },
  })
  const closing = hub.open({
    channels: ['b'],
    filter: () => {
      closing.sink.close()
      return true
    },
  })
  void hub.publish('b', { data: 'b1' })
  for (let n = 1; n <= 5; n += 1) void hub.publish('a', { data: `a${n}` })
  hub.fake.settle()
  assert.equal(flooding.sink.events.filter(({ event }) => event === 'gap').length, 1)
  assert.deepEqual(flooding.sink.data, ['b1', ...Array.from({ length: 10 }, (_, n) => `flood ${n + 20}`)])
  assert.equal(closing.connection.isOpen, false)
  assert.deepEqual(closing.sink.data, [])
})

test('every way to end gives one reason, one closed, an aborted signal, and leaves nothing', async () => {
  const ways: [string, (hub: CoreHub, opened: ReturnType<CoreHub['open']>) => void][] = [
    ['client', (_, { sink }) => sink.close('client')],
    ['dead', (_, { sink }) => sink.close('dead')],
    ['error', (_, { sink }) => sink.close('error')],
    ['closed', (_, { connection }) => connection.close()],
    ['rotated', (_, { connection }) => connection.close('rotated')],
    ['ended', (hub) => void hub.channel('a').end()],
    ['shutdown', (hub) => void hub.close()],
    [
      'stalled',
      (hub, { sink }) => {
        sink.clock = undefined
        void hub.publish('a', { data: 1 })
        hub.fake.advance(40_000)
      },
    ],
  ]
  for (const [reason, end] of ways) {
    const hub = new CoreHub()
    const closes: string[] = []
    hub.on('close', (_, closed) => closes.push(closed.reason))
    const opened = hub.open({ channels: ['a'] })
    const { connection, sink } = opened
    const { signal, closed } = connection
    hub.fake.settle()
    assert.equal(signal.aborted, false)
    end(hub, opened)
    hub.fake.settle()
    assert.equal(signal.aborted, true, reason)
    assert.equal((await closed).reason, reason)
    assert.equal((await connection.closed).reason, reason)
    assert.deepEqual(closes, [reason])
    // Whatever comes later changes nothing.
    connection.close()
    connection.destroy('error')
    sink.close('dead')
    sink.take()
    hub.fake.settle()
    assert.deepEqual(closes, [reason])
    assert.equal(hub.stats().connections, 0)
    assert.equal(hub.channel('a').size, 0)
    assert.equal(connection.bufferedBytes, 0)
  }
})

test('a signal and a closed promise asked for afterwards say the same', async () => {
  const hub = new CoreHub()
  const { connection, sink } = hub.open({ channels: ['a'] })
  await hub.count('a', 1, 3)
  hub.fake.advance(1_000)
  sink.close()
  assert.equal(connection.signal.aborted, true)
  const { reason, age, silence, events, bytes } = await connection.closed
  assert.deepEqual(
    { reason, age, silence, events },
    { reason: 'client', age: 1_000, silence: 1_000, events: 3 },
  )
  assert.equal(bytes, Buffer.byteLength(sink.text))
})

test('close delivers what was sent and published before it, and nothing after', async () => {
  const hub = new CoreHub()
  const { connection, sink } = hub.open({ channels: ['a'] }, undefined, true)
  void hub.publish('a', { data: 1 })
  connection.send({ data: 'bye' })
  connection.close()
  assert.equal(connection.send({ data: 'too late' }), false)
  hub.fake.settle()
  assert.equal(sink.ended, false)
  sink.take()
  hub.fake.settle()
  assert.equal(sink.ended, true)
  assert.deepEqual(sink.data, ['1', 'bye'])
  sink.take()
  assert.equal((await connection.closed).reason, 'closed')
  assert.throws(() => connection.close('bored' as 'closed'), { code: 'SLUICE_BAD_OPTION' })
})

test('a sink that throws ends its own connection only', async () => {
  const hub = new CoreHub()
  const one = hub.open({ channels: ['a'] })
  const other = hub.open({ channels: ['a'] })
  hub.fake.settle()
  one.sink.write = () => {
    throw new Error('broken pipe')
  }
  await hub.count('a', 1, 2)
  assert.equal((await one.connection.closed).reason, 'error')
  assert.deepEqual(hub.errors[0]?.[1], { during: 'write' })
  assert.deepEqual(other.sink.data, ['1', '2'])
})

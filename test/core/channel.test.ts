import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CoreHub, numbers } from '../support/core-hub.ts'

test('a handle publishes, counts its readers and knows its position', async () => {
  const hub = new CoreHub()
  const channel = hub.channel('a')
  assert.equal(channel.size, 0)
  assert.equal(channel.position, hub.position)
  const { sink } = hub.open({ channels: ['a'] })
  assert.equal(channel.size, 1)
  const id = await channel.publish({ data: 'x' })
  await hub.count('b', 1, 1)
  assert.equal(channel.position, id)
  assert.notEqual(hub.position, id)
  assert.deepEqual(sink.data, ['x'])
})

test('options of a channel hold whoever made it first, the latest win, and survive that it was dropped', async () => {
  const hub = new CoreHub({ channelDefaults: { maxEvents: 100 } })
  await hub.count('a', 1, 20)
  const handle = hub.channel('a', { maxEvents: 5, maxAge: 10_000 })
  assert.equal(hub.findChannel('a')?.log.count, 5)
  hub.channel('a', { overflow: 'latest' })
  assert.deepEqual(hub.findChannel('a')?.options, {
    maxEvents: 5,
    maxBytes: 1_048_576,
    maxAge: 10_000,
    overflow: 'latest',
  })
  hub.fake.advance(60_000)
  assert.equal(hub.findChannel('a'), undefined)
  await handle.publish({ data: 1 })
  assert.equal(hub.findChannel('a')?.options.maxEvents, 5)
  assert.equal(hub.findChannel('a')?.options.overflow, 'gap')
})

test('end sends a final event and closes the readers; a generated answer survives a reload', async () => {
  const hub = new CoreHub()
  const answer = hub.channel('answer')
  const first = hub.open({ channels: ['answer'], from: 'oldest' })
  async function* tokens() {
    for (const token of ['Once', ' upon', ' a time']) yield token
  }
  const piped = answer.pipe(tokens(), { end: true })
  for (let n = 0; n < 20; n += 1) {
    await new Promise((resolve) => setImmediate(resolve))
    hub.fake.settle()
  }
  assert.equal(await piped, 3)
  assert.equal(answer.ended, true)
  assert.equal((await first.connection.closed).reason, 'ended')
  assert.deepEqual(first.sink.data, ['Once', ' upon', ' a time', ''])
  assert.equal(first.sink.events[3]?.event, 'end')

  // The page reloads: everything again, then the end.
  const reloaded = hub.open({ channels: ['answer'], from: 'oldest' })
  hub.fake.settle()
  assert.deepEqual(reloaded.sink.data, first.sink.data)
  assert.equal((await reloaded.connection.closed).reason, 'ended')

  // Its EventSource comes back in the middle, and at the end.
  const middle = hub.open({ channels: ['answer'] }, first.sink.events[1]?.lastEventId)
  hub.fake.settle()
  assert.deepEqual(middle.sink.data, [' a time', ''])
  const over = hub.ask({ channels: ['answer'], from: 'oldest' }, first.sink.events[3]?.lastEventId)
  assert.equal('status' in over && over.status, 204)
  // Live, nothing will come either.
  const live = hub.ask({ channels: ['answer'] })
  assert.equal('status' in live && live.status, 204)
  assert.equal(answer.size, 0)
})

test('a reader that lags gets all of it before it is closed', async () => {
  const hub = new CoreHub({ maxWriteBytes: 100 })
  const { connection, sink } = hub.open({ channels: ['a'] }, undefined, true)
  await hub.count('a', 1, 50)
  void hub.channel('a').end({ event: 'done', data: 'bye' })
  for (let turns = 0; turns < 60 && !sink.ended; turns += 1) {
    sink.take()
    hub.fake.settle()
  }
  sink.take()
  assert.deepEqual(sink.data, [...numbers(1, 50), 'bye'])
  assert.equal((await connection.closed).reason, 'ended')
})

test('a channel that ended takes nothing more until its history has expired; ending twice is once', async () => {
  const hub = new CoreHub({ channelDefaults: { maxAge: 10_000 } })
  const channel = hub.channel('a')
  const id = await channel.end()
  assert.equal(await channel.end({ data: 'again' }), id)
  await assert.rejects(channel.publish({ data: 1 }), { code: 'SLUICE_CHANNEL_ENDED' })
  hub.fake.advance(15_000)
  assert.equal(channel.ended, false)
  await channel.publish({ data: 1 })
})

test('an end that cannot be encoded ends nothing', async () => {
  const hub = new CoreHub()
  await assert.rejects(hub.channel('a').end({ event: 'a\nb' }), { code: 'SLUICE_BAD_EVENT_NAME' })
  assert.equal(hub.channel('a').ended, false)
})

test('a connection of several channels goes on when one of them ends', async () => {
  const hub = new CoreHub()
  const { connection, sink } = hub.open({ channels: ['a', 'b'] })
  await hub.channel('a').end()
  hub.fake.settle()
  assert.deepEqual(connection.channels, ['b'])
  await hub.count('b', 1, 1)
  await hub.channel('b').end()
  hub.fake.settle()
  assert.deepEqual(sink.data, ['', '1', ''])
  assert.equal((await connection.closed).reason, 'ended')
})

test('pipe reports what its source threw, and ignoring it is safe', async () => {
  const hub = new CoreHub()
  async function* failing() {
    yield 'one'
    throw new Error('model crashed')
  }
  const channel = hub.channel('a')
  const { sink } = hub.open({ channels: ['a'] })
  await assert.rejects(channel.pipe(failing(), { end: true }), /model crashed/)
  assert.deepEqual(hub.errors[0]?.[1], { during: 'pipe', channel: 'a' })
  assert.equal(channel.ended, true)
  hub.fake.settle()
  assert.deepEqual(sink.data, ['one', ''])
  await assert.rejects(channel.pipe(['more']), { code: 'SLUICE_CHANNEL_ENDED' })
  // A string is iterable, but nobody means its letters.
  await assert.rejects(channel.pipe('text' as unknown as []), { code: 'SLUICE_BAD_SOURCE' })
  await assert.rejects(channel.pipe(7 as unknown as []), { code: 'SLUICE_BAD_SOURCE' })
  await assert.rejects(channel.pipe([], { and: true } as object), { code: 'SLUICE_BAD_OPTION' })
})

test('pipe into a channel stops its source when the hub closes', async () => {
  const hub = new CoreHub()
  let stopped = false
  async function* endless() {
    try {
      for (let n = 0; ; n += 1) {
        yield String(n)
        await new Promise((resolve) => setImmediate(resolve))
      }
    } finally {
      stopped = true
    }
  }
  const piped = hub.channel('a').pipe(endless())
  await new Promise((resolve) => setImmediate(resolve))
  void hub.close()
  assert.ok((await piped) >= 1)
  for (let n = 0; n < 5; n += 1) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(stopped, true)
})

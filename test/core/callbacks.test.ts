// The application's own code inside the hub: filters, variants, listeners and origins that publish, remember, or are
// async by mistake. Whatever it does, no event is lost or doubled in silence, and nobody is let in.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkConnectOptions } from '../../src/core/connect-options.ts'
import { SluiceError } from '../../src/core/errors.ts'
import type { EventInput } from '../../src/core/event-stream/encode.ts'
import { CoreHub, numbers } from '../support/core-hub.ts'

test('an event that a filter publishes to another channel of the connection is delivered, in order', () => {
  const hub = new CoreHub()
  const { sink } = hub.open({
    channels: ['a', 'b'],
    filter: ({ channel, data }) => {
      if (channel === 'a') void hub.publish('b', { data: `audit of ${data}` })
      return true
    },
  })
  void hub.publish('a', { data: '1' })
  hub.fake.settle()
  void hub.publish('a', { data: '2' })
  hub.fake.settle()
  assert.deepEqual(sink.data, ['1', 'audit of 1', '2', 'audit of 2'])
  assert.equal(hub.stats().gaps, 0)
})

test('a filter is asked once per event, also about the one that found no room in a write', async () => {
  const hub = new CoreHub({ maxWriteBytes: 1_000 })
  const asked: unknown[] = []
  const { sink } = hub.open({
    channels: ['a'],
    filter: ({ data }) => {
      asked.push(data)
      return true
    },
  })
  for (let n = 1; n <= 50; n += 1) void hub.publish('a', { data: String(n).padStart(100, '0') })
  hub.fake.settle()
  assert.equal(sink.data.length, 50)
  assert.equal(asked.length, 50)
  assert.ok(sink.writes.length > 5)
})

test('every gap is told, however many channels fall off at once and whatever was sent before', async () => {
  const hub = new CoreHub({ channelDefaults: { maxEvents: 2 } })
  const names = Array.from({ length: 600 }, (_, index) => `channel-${index}`)
  const many = hub.open({ channels: names })
  const few = hub.open({ channels: ['channel-0'] })
  few.connection.send({ data: 'L'.repeat(65_500) })
  for (let n = 0; n < 5; n += 1) for (const name of names) void hub.publish(name, { data: `e${n}` })
  hub.fake.settle()
  assert.equal(many.sink.text.split('event: gap').length - 1, 600)
  assert.equal(few.sink.text.split('event: gap').length - 1, 1)
  assert.deepEqual(few.sink.data.slice(-2), ['e3', 'e4'])
  assert.equal(hub.stats().gaps, 601)
})

test('closing delivers what came before the call and nothing after it', async () => {
  const hub = new CoreHub()
  const { connection, sink } = hub.open({ channels: ['a'] })
  const other = hub.open({ channels: ['a'] })
  void hub.publish('a', { data: 'before' })
  connection.close()
  void hub.publish('a', { data: 'after' })
  hub.fake.settle()
  assert.deepEqual(sink.data, ['before'])
  assert.deepEqual(other.sink.data, ['before', 'after'])
})

test('a connection that is leaving is not disconnected by what is published afterwards', async () => {
  const hub = new CoreHub({ channelDefaults: { maxEvents: 2, overflow: 'disconnect' } })
  const { connection, sink } = hub.open({ channels: ['a'] })
  assert.equal(connection.send({ data: 'taken' }), true)
  connection.close('rotated')
  await hub.count('a', 1, 5)
  assert.equal(sink.data[0], 'taken')
  assert.equal((await connection.closed).reason, 'rotated')
})

test('variants fill the log too, and pace who awaits publish', async () => {
  const same = ({ event, data }: { event: string; data: unknown }): EventInput => ({ event, data })
  const hub = new CoreHub({
    variants: { one: same, two: same, three: same },
    channelDefaults: { maxBytes: 40_000 },
  })
  const readers = [undefined, 'one', 'two', 'three'].map((variant) => hub.open({ channels: ['a'], variant }))
  let published = 0
  const publisher = (async () => {
    for (; published < 200; published += 1) await hub.publish('a', { data: 'x'.repeat(1_000) })
  })()
  for (let turns = 0; turns < 2_000 && published < 200; turns += 1) {
    hub.fake.turn()
    await new Promise((resolve) => setImmediate(resolve))
  }
  await publisher
  hub.fake.settle()
  for (const { sink } of readers) assert.equal(sink.data.length, 200)
  assert.equal(hub.stats().gaps, 0)
})

test('a variant that pushes its own frame out of the log leaks no bytes', () => {
  const hub = new CoreHub({
    channelDefaults: { maxEvents: 3, maxBytes: 100_000 },
    variants: {
      loud: ({ event }) => {
        if (event === 'go')
          for (let n = 0; n < 5; n += 1) void hub.publish('a', { event: 'x', data: String(n) })
        return { event, data: 'y'.repeat(10_000) }
      },
    },
  })
  hub.open({ channels: ['a'], variant: 'loud' })
  for (let n = 0; n < 30; n += 1) void hub.publish('a', { event: 'go', data: 'g' })
  hub.fake.settle()
  for (let n = 0; n < 5; n += 1) void hub.publish('a', { event: 'x', data: 'z' })
  hub.fake.settle()
  assert.equal(hub.findChannel('a')?.log.count, 3)
  assert.ok(hub.stats().logBytes < 35_000, `${hub.stats().logBytes}`)
})

test('a variant that returns no event, a promise for instance, puts a gap in its place and is reported', () => {
  for (const wrong of [Promise.resolve({ data: 1 }), Promise.reject(new Error('late')), 'text', 5, [1], {}]) {
    const hub = new CoreHub({ variants: { v: () => wrong as EventInput } })
    const { sink } = hub.open({ channels: ['a'], variant: 'v' })
    void hub.publish('a', { data: 'hello' })
    hub.fake.settle()
    assert.match(sink.text, /event: gap/)
    const [error] = hub.errors[0] ?? []
    assert.equal(error instanceof SluiceError && error.code, 'SLUICE_BAD_EVENT')
    assert.deepEqual(hub.errors[0]?.[1], { during: 'variant', channel: 'a' })
  }
})

test('an async origin lets nobody in, and is reported', () => {
  const hub = new CoreHub()
  const origin = (async () => true) as unknown as (origin: string) => boolean
  const facts = {
    method: 'GET',
    url: '/',
    origin: 'https://evil.example',
    lastEventId: undefined,
    accept: undefined,
    address: undefined,
  }
  const options = checkConnectOptions({ cors: { origin, credentials: true } })
  const headers = new Map(hub.entrance.receive(facts, options).headers)
  assert.equal(headers.get('Access-Control-Allow-Origin'), undefined)
  assert.equal(headers.get('Vary'), 'Origin')
  assert.match(String(hub.errors[0]?.[0]), /returned a promise/)
})

test('an async listener that rejects is contained', async () => {
  const hub = new CoreHub()
  const said: unknown[] = []
  const { error } = console
  console.error = (...words) => said.push(words)
  try {
    hub.on('open', (async () => {
      throw new Error('boom')
    }) as () => void)
    hub.open()
    await new Promise((resolve) => setImmediate(resolve))
  } finally {
    console.error = error
  }
  assert.match(String(said), /during listener.*boom/s)
})

test('awaited publishes to a channel that nobody reads let the event loop turn', async () => {
  const hub = new CoreHub({ channelDefaults: { maxEvents: 10 } })
  for (let n = 0; n < 4; n += 1) await hub.publish('a', { data: n })
  let settled = false
  const fifth = hub.publish('a', { data: 4 }).then(() => {
    settled = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(settled, false)
  hub.fake.turn()
  await fifth
  assert.ok(await hub.publish('a', { data: 5 }))
})

test('a source that hangs is stopped when its channel ends', async () => {
  const hub = new CoreHub()
  let stopped = false
  const source: AsyncIterable<string> = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise(() => {}),
      return: async () => {
        stopped = true
        return { done: true, value: undefined }
      },
    }),
  }
  const channel = hub.channel('a')
  const piped = channel.pipe(source)
  await hub.channel('other').end()
  assert.equal(stopped, false)
  await channel.end()
  assert.equal(await piped, 0)
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(stopped, true)
})

test('from may come from a query: missing is live, given twice is a gap', async () => {
  const hub = new CoreHub()
  await hub.count('a', 1, 3)
  assert.equal(hub.open({ channels: ['a'], from: null }).headers.get('Sluice-Resume'), 'none')
  const twice = hub.open({ channels: ['a'], from: ['1', '2'] as unknown as string })
  assert.equal(twice.headers.get('Sluice-Resume'), 'gap')
  assert.match(twice.sink.text, /"requested":null/)
  const from = hub.open({ channels: ['a'], from: 'oldest' })
  hub.fake.settle()
  assert.deepEqual(from.sink.data, numbers(1, 3))
})

test('an id that begins with U+FEFF resumes, and an oversized one is not kept', async () => {
  const { readLastEventId } = await import('../../src/core/opening.ts')
  const latin1 = Buffer.from('\u{feff}x1').toString('latin1')
  assert.equal(readLastEventId([latin1]), '\u{feff}x1')
  const hub = new CoreHub()
  assert.equal(hub.open({ channels: ['a'] }, 'z'.repeat(15_000)).connection.lastEventId, '')
})

test('close refuses times that no timer knows, before anything has happened', async () => {
  const hub = new CoreHub()
  hub.open()
  assert.throws(() => hub.close({ within: 2 ** 31 }), {
    code: 'SLUICE_BAD_OPTION',
    message: /within is 2147483648/,
  })
  assert.throws(() => hub.close({ reconnectOver: 1e300 }), { code: 'SLUICE_BAD_OPTION' })
  assert.equal(hub.stats().connections, 1)
  assert.ok(await hub.publish('a', { data: 1 }))
})

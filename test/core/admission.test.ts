// Who is let in and who is not, how that is told, and that the counts hold.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '../../src/core/clock.ts'
import type { LimitOptions } from '../../src/core/limits.ts'
import type { Answer } from '../../src/core/opening.ts'
import { Overload } from '../../src/core/overload.ts'
import { TokenBucket } from '../../src/core/token-bucket.ts'
import { CoreHub } from '../support/core-hub.ts'
import { seeded } from '../support/seeded.ts'

function limited(limits: LimitOptions): CoreHub {
  return new CoreHub({ limits })
}

/** The answer of a hub that refuses. */
function refusal(hub: CoreHub, options = {}, more: { accept?: string; address?: string } = {}): Answer {
  const decided = hub.ask({ channels: ['a'], ...options }, undefined, more)
  if ('begin' in decided) throw new Error('it was let in')
  return decided
}

test('connections in all: one more is refused, and let in again when one has left', () => {
  const hub = limited({ connections: 2 })
  const first = hub.open({ channels: ['a'] })
  hub.open({ channels: ['a'] })
  const { status, headers } = refusal(hub)
  assert.equal(status, 503)
  // 1 s and half of the ten over which the refused are spread.
  assert.equal(new Map(headers).get('Retry-After'), '6')
  assert.equal(hub.stats().refused.connections, 1)
  first.sink.close()
  hub.open({ channels: ['a'] })
  assert.equal(hub.stats().connections, 2)
})

test('per key: by address, however it is spelled, or by the key that the application gives', () => {
  const hub = limited({ connectionsPerKey: 1 })
  const ask = (address: string, key?: string) => hub.ask({ channels: ['a'], key }, undefined, { address })
  const opened = ask('::ffff:192.0.2.1')
  assert.ok('begin' in opened)
  hub.admit(opened)
  assert.equal(refusal(hub, {}, { address: '192.0.2.1' }).status, 429)
  assert.ok('begin' in ask('192.0.2.2'))
  assert.ok('begin' in ask('192.0.2.1', 'user-7'), 'another key')
  const inside = hub.ask({ key: 'user-8' })
  assert.ok('begin' in inside)
  hub.admit(inside)
  assert.equal(refusal(hub, { key: 'user-8' }, { address: '192.0.2.9' }).status, 429)
  // Without an address and a key there is nothing to count by.
  hub.admit(hub.ask({}))
  hub.admit(hub.ask({}))
  assert.deepEqual(hub.stats().refused, {
    connections: 0,
    key: 2,
    session: 0,
    channel: 0,
    channels: 0,
    rate: 0,
    overload: 0,
    closing: 0,
    starting: 0,
  })
})

test('per channel, and channels per connection', () => {
  const hub = limited({ connectionsPerChannel: 1, channelsPerConnection: 2 })
  const { connection } = hub.open({ channels: ['a'] })
  assert.equal(refusal(hub, { channels: ['b', 'a'] }).status, 503)
  hub.open({ channels: ['b'] })
  assert.equal(refusal(hub, { channels: ['c', 'd', 'e'] }).status, 400)
  assert.equal(hub.stats().refused.channels, 1)
  connection.subscribe('c')
  connection.subscribe('c')
  assert.throws(() => connection.subscribe('d'), {
    code: 'SLUICE_TOO_MANY_CHANNELS',
    message: /reads 2 channels.*unsubscribe/,
  })
  connection.unsubscribe('a')
  connection.subscribe('d')
})

test('the form follows what the request accepts, or what the application says', () => {
  const hub = limited({ connections: 1 })
  hub.open()
  const form = (accept: string | undefined, options = {}) =>
    refusal(hub, options, accept === undefined ? {} : { accept }).status === 200 ? 'retry' : 'status'
  assert.equal(form('text/event-stream'), 'retry')
  assert.equal(form('application/json, Text/Event-Stream;q=0.5'), 'retry')
  for (const accept of [undefined, '', '*/*', 'text/*', 'text/event-stream-like', 'xtext/event-stream']) {
    assert.equal(form(accept), 'status', accept)
  }
  assert.equal(form('*/*', { refusal: 'retry' }), 'retry')
  assert.equal(form('text/event-stream', { refusal: 'status' }), 'status')
  const { status, body, headers } = refusal(hub, {}, { accept: 'text/event-stream' })
  assert.equal(status, 200)
  assert.equal(body, 'retry: 6000\n\n')
  assert.equal(new Map(headers).get('Content-Type'), 'text/event-stream')
  // From another origin, the refusal must be readable too.
  const cross = hub.ask({ cors: true }, undefined, { accept: 'text/event-stream' })
  assert.equal(new Map(cross.headers).get('Access-Control-Allow-Origin'), '*')
})

test('a listener hears of every refusal, and what asks for no stream takes no token', () => {
  const hub = limited({ accepts: { perSecond: 1, burst: 1 } })
  const heard: unknown[] = []
  hub.on('refuse', (reason, key) => heard.push([reason, key]))
  hub.admit(hub.ask({}, undefined, { address: '192.0.2.1' }))
  refusal(hub, {}, { address: '192.0.2.1' })
  assert.deepEqual(heard, [['rate', '192.0.2.1']])
})

test('accepts: a burst, then so many a second, and the wait is told', () => {
  const hub = limited({ accepts: { perSecond: 10, burst: 3 }, reconnectOver: 0 })
  for (let n = 0; n < 3; n += 1) hub.open()
  assert.equal(new Map(refusal(hub).headers).get('Retry-After'), '1')
  hub.fake.advance(99)
  refusal(hub)
  hub.fake.advance(1)
  hub.open()
  refusal(hub)
  hub.fake.advance(10_000)
  for (let n = 0; n < 3; n += 1) hub.open()
  refusal(hub)
  assert.equal(hub.stats().refused.rate, 4)
})

test('a bucket tells how long until there is one, and holds no more than its burst', () => {
  const bucket = new TokenBucket(5, 1, 0)
  assert.equal(bucket.take(0), 0)
  assert.equal(bucket.take(0), 200)
  assert.equal(bucket.take(100), 100)
  assert.equal(bucket.take(200), 0)
  assert.equal(bucket.take(1e9), 0)
  assert.equal(bucket.take(1e9), 200)
})

test('counts are exact through 50,000 connections that come and go at random moments', () => {
  const random = seeded(4)
  const hub = limited({ connections: 200, connectionsPerKey: 5, connectionsPerChannel: 60 })
  const open: { key: string; channels: string[]; close: () => void }[] = []
  const count = (test: (one: (typeof open)[number]) => boolean): number => open.filter(test).length
  let opened = 0
  let refused = 0
  while (opened < 50_000) {
    if (random() < 0.45 && open.length > 0) {
      open.splice(Math.floor(random() * open.length), 1)[0]?.close()
      continue
    }
    const key = `key-${Math.floor(random() * 25)}`
    const channels = ['a', 'b', 'c', 'd'].filter(() => random() < 0.4)
    const may =
      open.length < 200 &&
      count((one) => one.key === key) < 5 &&
      channels.every((name) => count((one) => one.channels.includes(name)) < 60)
    const decided = hub.ask({ channels, key })
    assert.equal('begin' in decided, may, `${opened} opened`)
    if (!('begin' in decided)) {
      refused += 1
      continue
    }
    const { connection, sink } = hub.admit(decided)
    opened += 1
    const how = random()
    open.push({
      key,
      channels,
      close: () => {
        if (how < 0.4) sink.close()
        else if (how < 0.8) connection.destroy('stalled')
        else {
          connection.close()
          hub.fake.settle()
          sink.close()
        }
      },
    })
  }
  for (const one of open) one.close()
  assert.ok(refused > 1_000, `${refused} refused`)
  const stats = hub.stats()
  assert.equal(stats.connections, 0)
  assert.equal(stats.opened, 50_000)
  assert.equal(
    Object.values(stats.closes).reduce((sum, n) => sum + n),
    50_000,
  )
  // Nothing is left: five of every key fit again.
  for (let n = 0; n < 5; n += 1) hub.admit(hub.ask({ key: 'key-1' }))
  assert.equal(refusal(hub, { channels: [], key: 'key-1' }).status, 429)
})

/** A clock whose timer comes as late as a test says. */
class LateClock {
  time = 0
  #tick: (() => void) | undefined
  running = false

  readonly clock: Clock = {
    now: () => this.time,
    soon: () => {},
    after: () => () => {},
    every: (_ms, callback) => {
      this.#tick = callback
      this.running = true
      return () => {
        this.running = false
      }
    },
  }

  tick(gap: number): void {
    this.time += gap
    this.#tick?.()
  }
}

test('overload: a second of late turns refuses, one late moment does not, a second in time recovers', () => {
  const late = new LateClock()
  const heard: boolean[] = []
  let busy = true
  const overload = new Overload(
    late.clock,
    200,
    () => busy,
    (overloaded) => heard.push(overloaded),
  )
  overload.start()
  late.tick(2_500)
  for (let n = 0; n < 20; n += 1) late.tick(100)
  assert.deepEqual(heard, [], 'one long pause')
  for (let n = 0; n < 5; n += 1) late.tick(350)
  assert.equal(overload.overloaded, true)
  late.tick(100)
  late.tick(400)
  for (let n = 0; n < 10; n += 1) late.tick(100)
  assert.equal(overload.overloaded, true, 'not a second in time yet')
  late.tick(100)
  late.tick(100)
  assert.deepEqual(heard, [true, false])
  assert.equal(late.running, true)
  busy = false
  late.tick(100)
  assert.equal(late.running, false)
})

test('overload: an empty hub looks on until it has recovered, and keeps no timer afterwards', () => {
  const late = new LateClock()
  const overload = new Overload(
    late.clock,
    50,
    () => late.time < 1_500,
    () => {},
  )
  overload.start()
  for (let n = 0; n < 12; n += 1) late.tick(300)
  assert.equal(overload.overloaded, true)
  assert.equal(late.running, true)
  for (let n = 0; n < 12; n += 1) late.tick(100)
  assert.equal(overload.overloaded, false)
  assert.equal(late.running, false)
  const off = new Overload(
    late.clock,
    Infinity,
    () => true,
    () => {},
  )
  off.start()
  assert.equal(late.running, false)
})

test('a hub that is overloaded refuses with the retry form and lets in again by itself', () => {
  const hub = new CoreHub({ limits: { loopDelay: 100, reconnectOver: 4_000 } })
  const { sink } = hub.open({ channels: ['a'] })
  for (let n = 0; n < 6; n += 1) hub.fake.jump(400)
  assert.equal(hub.stats().overloaded, true)
  const { body } = refusal(hub, {}, { accept: 'text/event-stream' })
  assert.equal(body, 'retry: 3000\n\n')
  void hub.publish('a', { data: 'still served' })
  hub.fake.settle()
  assert.deepEqual(sink.data, ['still served'])
  hub.fake.advance(1_500)
  assert.equal(hub.stats().overloaded, false)
  hub.open({ channels: ['a'] })
})

test('connections() tells which client is slow', async () => {
  const hub = new CoreHub()
  const fast = hub.open({ channels: ['a'], label: 'fast', key: 'k' })
  hub.open({ channels: ['a', 'b'], label: 'slow' }, undefined, true)
  hub.fake.advance(1_000)
  await hub.count('a', 1, 3)
  const [one, other] = hub.connections()
  assert.deepEqual(one?.lag, { events: 0, bytes: 0 })
  assert.equal(one?.label, 'fast')
  assert.equal(one?.key, 'k')
  assert.equal(one?.state, 'ready')
  assert.equal(one?.age, 1_000)
  assert.equal(one?.silence, 0)
  assert.equal(one?.events, 3)
  assert.equal(other?.state, 'blocked')
  assert.equal(other?.lag.events, 3)
  assert.ok((other?.lag.bytes ?? 0) > 30)
  assert.equal(other?.silence, 1_000)
  assert.deepEqual(other?.channels, ['a', 'b'])
  assert.ok((other?.bufferedBytes ?? 0) > 0)
  fast.connection.close()
  assert.equal(hub.connections()[0]?.state, 'ending')
  hub.fake.settle()
  assert.deepEqual(JSON.parse(JSON.stringify(hub.connections()))[0].channels, ['a', 'b'])
})

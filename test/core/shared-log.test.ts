// Hubs that share one log over a bus: one order for all, nothing lost or doubled however the feed breaks, and every loss told.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type MemoryBus, memoryBus } from '../../src/bus/memory.ts'
import type { Bus, Entry } from '../../src/core/bus.ts'
import { decodeEntry, encodeEntry } from '../../src/core/entry.ts'
import type { HubOptions } from '../../src/core/hub-options.ts'
import { epochName } from '../../src/core/position.ts'
import { CoreHub, numbers } from '../support/core-hub.ts'
import { FaultyBus, rest } from '../support/faulty-bus.ts'
import { seeded } from '../support/seeded.ts'

async function gone(hub: CoreHub): Promise<void> {
  const closing = hub.close({ within: 0 })
  hub.fake.advance(1)
  await rest(hub)
  await closing
}

function node(bus: Bus, options: HubOptions = {}): CoreHub {
  return new CoreHub({ bus, ...options })
}

async function two(options: HubOptions = {}): Promise<{ a: CoreHub; b: CoreHub; bus: MemoryBus }> {
  const bus = memoryBus()
  const [a, b] = [node(bus.share(), options), node(bus.share(), options)]
  await Promise.all([a.ready(), b.ready()])
  return { a, b, bus }
}

test('what one hub publishes reaches the readers of both, in one order and under one id', async () => {
  const { a, b } = await two()
  const readers = [a.open({ channels: ['x', 'y'] }), b.open({ channels: ['x', 'y'] })]
  const ids = await Promise.all(
    Array.from({ length: 100 }, (_, n) => (n % 2 ? a : b).publish(n % 3 ? 'x' : 'y', { data: String(n) })),
  )
  await rest(a, b)
  const [first, second] = readers.map(({ sink }) => sink.events)
  assert.equal(first?.length, 100)
  assert.deepEqual(first, second)
  assert.deepEqual(first?.map(({ lastEventId }) => lastEventId).sort(), [...ids].sort())
  assert.equal(a.position, b.position)
  assert.equal(a.stats().bus?.state, 'live')
  assert.equal(a.stats().published + b.stats().published, 100)
})

test('a client of a hub that is gone resumes at another, exactly', async () => {
  const { a, b } = await two()
  // Somebody reads at b, so that it holds the channel.
  b.open({ channels: ['x'] })
  const there = a.open({ channels: ['x'] })
  for (let n = 1; n <= 20; n += 1) await a.publish('x', { data: String(n) })
  await rest(a, b)
  const id = there.sink.events[11]?.lastEventId
  await gone(a)
  await b.publish('x', { data: '21' })
  await rest(b)
  const here = b.open({ channels: ['x'] }, id)
  await rest(b)
  assert.equal(here.headers.get('Sluice-Resume'), 'full')
  assert.deepEqual(here.sink.data, numbers(13, 21))
})

test('what a hub has not heard, for it is new or nobody cared, is read back from the bus for who resumes', async () => {
  const bus = memoryBus()
  const a = node(bus.share())
  await a.ready()
  const there = a.open({ channels: ['x'] })
  const ids: string[] = []
  for (let n = 1; n <= 30; n += 1) {
    ids.push(await a.publish('x', { data: String(n) }))
    await a.publish('other', { data: 'not mine' })
  }
  await rest(a)
  assert.equal(there.sink.data.length, 30)
  const b = node(bus.share())
  await b.ready()
  const one = b.open({ channels: ['x'] }, ids[9])
  assert.equal(one.headers.get('Sluice-Resume'), 'pending')
  // Meanwhile it lives: it is sent to, and events go on.
  one.connection.send({ event: 'private', data: 'p' })
  const published = b.publish('x', { data: '31' })
  await rest(a, b)
  await published
  const events = one.sink.events.map(({ event, data }) => (event === 'private' ? 'p' : data))
  assert.deepEqual(
    events.filter((data) => data !== 'p'),
    numbers(11, 31),
  )
  assert.ok(events.includes('p'))
  assert.equal(b.stats().bus?.recalls, 1)
  // The next finds it here, and one from further back makes it read again.
  const two = b.open({ channels: ['x'] }, ids[19])
  assert.equal(two.headers.get('Sluice-Resume'), 'full')
  const three = b.open({ channels: ['x'] }, ids[2])
  const all = b.open({ channels: ['x'], from: 'oldest' })
  await rest(b)
  assert.deepEqual(two.sink.data, numbers(21, 31))
  assert.deepEqual(three.sink.data, numbers(4, 31))
  assert.deepEqual(all.sink.data, numbers(1, 31))
})

test('what is read back keeps to the bounds of its channel, and the rest is told as a gap', async () => {
  const bus = memoryBus()
  const a = node(bus.share(), { channelDefaults: { maxEvents: 10 } })
  await a.ready()
  a.open({ channels: ['x'] })
  const ids: string[] = []
  for (let n = 1; n <= 50; n += 1) ids.push(await a.publish('x', { data: String(n) }))
  const b = node(bus.share(), { channelDefaults: { maxEvents: 10 } })
  await b.ready()
  const enough = b.open({ channels: ['x'] }, ids[44])
  await rest(b)
  assert.deepEqual(enough.sink.data, numbers(46, 50))
  const late = b.open({ channels: ['x'] }, ids[9])
  const kept = b.open({ channels: ['x'], onGap: 'oldest' }, ids[9])
  await rest(b)
  const [gap] = late.sink.events
  assert.equal(gap?.event, 'gap')
  assert.deepEqual(JSON.parse(gap?.data ?? ''), {
    reason: 'evicted',
    channel: 'x',
    requested: ids[9],
    oldest: ids[40],
    newest: ids[49],
  })
  assert.deepEqual(late.sink.data, [])
  assert.equal(gap?.lastEventId, b.position)
  assert.deepEqual(kept.sink.data, numbers(41, 50))
})

test("a publisher's own id, the end of a channel, keys and variants hold across hubs", async () => {
  const bus = memoryBus()
  const variants = { v1: ({ data }: { data: unknown }) => ({ data: (data as { n: number }).n }) }
  const a = node(bus.share(), { variants })
  await a.ready()
  for (let n = 1; n <= 5; n += 1) await a.publish('x', { id: `own-${n}`, data: { n }, key: 'k' })
  await a.channel('x').end()
  const b = node(bus.share(), { variants })
  await b.ready()
  const filtered: unknown[] = []
  const one = b.open(
    {
      channels: ['x'],
      variant: 'v1',
      filter: ({ data, key, event }) => {
        filtered.push([data, key, event])
        return event === 'end' || (data as { n: number }).n !== 4
      },
    },
    'own-2',
  )
  await rest(a, b)
  assert.deepEqual(one.sink.data.slice(0, 2), ['3', '5'])
  assert.deepEqual(filtered[0], [{ n: 3 }, 'k', 'message'])
  assert.equal((await one.connection.closed).reason, 'ended')
  await assert.rejects(b.publish('x', { data: 'late' }), { code: 'SLUICE_CHANNEL_ENDED' })
})

test('a hole in the feed is read afterwards; what comes twice or late is dropped: seeded, with many kinds at once', async () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const random = seeded(seed)
    const bus = new FaultyBus()
    const late: Entry[] = []
    bus.passes = (entry) => {
      const fate = random()
      if (fate < 0.1) return false
      if (fate < 0.2) late.push(entry)
      if (fate > 0.9) for (const one of late.splice(0)) bus.listener?.entry(one)
      return fate >= 0.15
    }
    const hub = node(bus)
    await hub.ready()
    const { sink } = hub.open({ channels: ['x'] })
    for (let n = 1; n <= 100; n += 1) {
      await hub.publish('x', { data: String(n) })
      if (random() < 0.1) await rest(hub)
    }
    // A last message that was lost shows no hole: the head is looked at.
    await rest(hub)
    hub.fake.advance(10_000)
    await rest(hub)
    assert.deepEqual(sink.data, numbers(1, 100), `seed ${seed}`)
    await gone(hub)
  }
})

test('while the bus is down connections stay, heartbeats go on, and nothing is lost when it comes back', async () => {
  const bus = new FaultyBus()
  const hub = node(bus, { heartbeat: 1_000 })
  const changes: boolean[] = []
  hub.on('bus', (up) => changes.push(up))
  await hub.ready()
  const { sink, connection } = hub.open({ channels: ['x'] })
  await hub.publish('x', { data: '1' })
  await rest(hub)
  bus.listener?.down(new Error('cut'))
  bus.passes = () => false
  bus.reads = false
  assert.equal(hub.stats().bus?.state, 'down')
  // Another process publishes meanwhile.
  const other = node(bus.inner.share())
  await other.ready()
  for (let n = 2; n <= 1_200; n += 1) await other.publish('x', { data: String(n) })
  const writes = sink.writes.length
  hub.fake.advance(5_000)
  assert.ok(sink.writes.length >= writes + 3, 'heartbeats')
  const newcomer = hub.open({ channels: ['x'] })
  assert.ok(connection.isOpen && newcomer.connection.isOpen)
  bus.passes = () => true
  bus.listener?.up({ epoch: hubEpoch(bus), head: 1_200 })
  await rest(hub)
  hub.fake.advance(10_000)
  bus.reads = true
  hub.fake.advance(10_000)
  await rest(hub)
  assert.deepEqual(sink.data, numbers(1, 1_200))
  assert.deepEqual(changes, [false, true])
  assert.equal(hub.stats().gaps, 0)
})

test('a loss in the bus is told to the clients as a gap, and so is another epoch', async () => {
  const bus = new FaultyBus()
  const hub = node(bus)
  await hub.ready()
  const { sink } = hub.open({ channels: ['x'] })
  const idle = hub.open({ channels: ['y'] })
  await hub.publish('x', { data: '1' })
  await rest(hub)
  bus.passes = () => false
  for (let n = 2; n <= 10; n += 1) await hub.publish('x', { data: String(n) })
  bus.lost = 6
  bus.listener?.up({ epoch: hubEpoch(bus), head: 10 })
  await rest(hub)
  assert.deepEqual(sink.data, ['1', ...numbers(7, 10)])
  const gap = sink.events[1]
  assert.equal(gap?.event, 'gap')
  assert.equal(JSON.parse(gap?.data ?? '').reason, 'evicted')

  const before = hub.position
  bus.epoch = 'another life'
  bus.listener?.up({ epoch: 'another life', head: 3 })
  await rest(hub)
  assert.equal(hub.position, `${epochName('another life')}-3`)
  for (const one of [sink, idle.sink]) {
    const told = one.events.at(-1)
    assert.equal(told?.event, 'gap')
    assert.equal(JSON.parse(told?.data ?? '').reason, 'epoch')
    assert.equal(told?.lastEventId, hub.position)
  }
  const old = hub.open({ channels: ['x'] }, before)
  assert.equal(old.headers.get('Sluice-Resume'), 'gap')
  bus.passes = () => true
  // What comes from now on has positions of the new life, lower than the old ones.
  bus.listener?.entry({ position: 4, previous: 3, channel: 'x', body: body('after') })
  await rest(hub)
  assert.equal(sink.data.at(-1), 'after')
  assert.equal(old.sink.data.at(-1), 'after')
})

test('a client that is ahead of this hub waits until it has caught up, and is sent nothing twice', async () => {
  const bus = new FaultyBus()
  bus.passes = () => false
  const behind = node(bus)
  await behind.ready()
  const ahead = node(bus.inner.share())
  await ahead.ready()
  const there = ahead.open({ channels: ['x'] })
  for (let n = 1; n <= 10; n += 1) await ahead.publish('x', { data: String(n) })
  await rest(ahead)
  const id = there.sink.events[9]?.lastEventId
  const here = behind.open({ channels: ['x'] }, id)
  assert.equal(here.headers.get('Sluice-Resume'), 'pending')
  await rest(behind)
  bus.passes = () => true
  await ahead.publish('x', { data: '11' })
  await rest(ahead, behind)
  assert.deepEqual(here.sink.data, ['11'])
  assert.equal(behind.stats().gaps, 0)
  // One from the future was minted by nobody.
  const liar = behind.open({ channels: ['x'] }, `${behind.epoch}-9000000000000000`)
  await rest(behind)
  assert.equal(JSON.parse(liar.sink.events[0]?.data ?? '').reason, 'unknown')
})

test('a publish has a deadline, a name of its own, and a breaker in front', async () => {
  const bus = new FaultyBus()
  const hub = node(bus, { busTimeout: 1_000 })
  await hub.ready()
  const failed = async (): Promise<string> => {
    const publishing = hub.publish('x', { data: '1' })
    await rest(hub)
    hub.fake.advance(1_000)
    return publishing.then(
      () => 'stored',
      (error) => error.code,
    )
  }
  bus.hangs = true
  for (let n = 0; n < 5; n += 1) assert.equal(await failed(), 'SLUICE_BUS_UNAVAILABLE')
  const asked = bus.names.length
  assert.equal(asked, 5)
  assert.equal(new Set(bus.names).size, 5)
  // Now it is left alone, but for one now and then.
  const now = hub.publish('x', { data: '1' })
  await assert.rejects(now, /left alone/)
  assert.equal(bus.names.length, asked)
  assert.equal(hub.stats().bus?.refused, 1)
  hub.fake.advance(1_000)
  bus.hangs = false
  assert.match(await hub.publish('x', { data: '2' }), /-1$/)
  assert.match(await hub.publish('x', { data: '3' }), /-2$/)
  assert.equal(hub.stats().bus?.failed, 5)
  assert.equal(hub.errors.length, 6)
})

test("busFallback 'local': this process's readers get it, without an id, and nobody resumes from it", async () => {
  const bus = new FaultyBus()
  const hub = node(bus, { busFallback: 'local', busTimeout: 1_000 })
  await hub.ready()
  const { sink } = hub.open({ channels: ['x'] })
  const refused = hub.open({ channels: ['x'], filter: ({ data }) => (data as { n: number }).n !== 2 })
  const id = await hub.publish('x', { data: { n: 1 } })
  bus.appends = false
  assert.equal(await hub.publish('x', { data: { n: 2 } }), '')
  await rest(hub)
  assert.deepEqual(
    sink.events.map(({ data, lastEventId }) => [data, lastEventId]),
    [
      ['{"n":1}', id],
      ['{"n":2}', id],
    ],
  )
  assert.equal(refused.sink.events.length, 1)
  assert.equal(hub.stats().bus?.local, 1)
  await assert.rejects(hub.publish('x', { event: 'a\nb' }), { code: 'SLUICE_BAD_EVENT_NAME' })
})

test('before the bus is reached: browsers are asked to come back, a publish waits, and both are bounded', async () => {
  const bus = new FaultyBus()
  const tail = bus.tail.bind(bus)
  let reachable = false
  bus.tail = (listener) => (reachable ? tail(listener) : Promise.reject(new Error('refused')))
  const hub = node(bus, { busTimeout: 1_000 })
  const asked = hub.ask({ channels: ['x'] }, undefined, { accept: 'text/event-stream' })
  assert.ok(!('begin' in asked))
  assert.equal(asked.status, 200)
  assert.match(asked.body, /^retry: \d+\n\n$/)
  const lost = hub.publish('x', { data: '1' })
  await rest(hub)
  hub.fake.advance(1_000)
  await assert.rejects(lost, { code: 'SLUICE_BUS_UNAVAILABLE' })
  const waiting = hub.publish('x', { data: '2' })
  await rest(hub)
  reachable = true
  for (let n = 0; n < 5; n += 1) {
    hub.fake.advance(150)
    await rest(hub)
  }
  assert.match(await waiting, /^[\da-z]{10}-1$/)
  await hub.ready()
  assert.equal(hub.stats().bus?.state, 'live')
})

test('a burst from the bus waits for the readers, so that caught-up ones lose nothing of a small log', async () => {
  const { a, b } = await two({ channelDefaults: { maxEvents: 8 } })
  const { sink } = b.open({ channels: ['x'] })
  const publishing = Array.from({ length: 500 }, (_, n) => a.publish('x', { data: String(n + 1) }))
  await rest(a, b)
  await Promise.all(publishing)
  for (let n = 0; n < 20; n += 1) await rest(a, b)
  assert.deepEqual(sink.data, numbers(1, 500))
  assert.equal(b.stats().gaps, 0)
})

test('what no hub has written is reported and passed over; an entry survives its way', async () => {
  const bus = memoryBus()
  const hub = node(bus.share())
  await hub.ready()
  const { sink } = hub.open({ channels: ['x'] })
  for (const one of ['', '{}', '[2,"a"]', '[1,5]', '[1,null,null,null,"x"]', '\xff']) {
    await bus.append('x', new TextEncoder().encode(one))
  }
  await bus.append('x', body('fine'))
  await rest(hub)
  assert.deepEqual(sink.data, ['fine'])
  assert.equal(hub.errors.length, 6)
  for (const [, context] of hub.errors) assert.deepEqual(context, { during: 'bus', channel: 'x' })
  const shared = {
    event: 'e',
    data: 'd\n',
    id: 'i',
    retry: 0,
    comment: '',
    verbatim: false,
    key: 'k',
    final: true,
  }
  assert.deepEqual(decodeEntry(encodeEntry(shared)), shared)
})

test('closing: the feed ends, the bus stays, and nothing is left', async () => {
  const bus = memoryBus()
  const hub = node(bus.share())
  await hub.ready()
  hub.open({ channels: ['x'] })
  const closing = hub.close({ within: 1_000 })
  hub.fake.settle()
  await rest(hub)
  await closing
  assert.equal(hub.fake.timers, 0)
  await bus.append('x', body('after'))
  await rest(hub)
  assert.equal(hub.errors.length, 0)
  await assert.rejects(hub.publish('x', { data: '1' }), { code: 'SLUICE_HUB_CLOSED' })
})

test('a bus that is none is refused', () => {
  for (const bus of [null, {}, 'redis']) {
    assert.throws(() => new CoreHub({ bus: bus as never }), { code: 'SLUICE_BAD_OPTION' })
  }
})

const body = (data: string): Uint8Array => encodeEntry({ data, verbatim: true, final: false })

function hubEpoch(bus: FaultyBus): string {
  const seen: string[] = []
  bus.inner.share().tail({ entry() {}, down() {}, up: ({ epoch }) => void seen.push(epoch) })
  return seen[0] ?? ''
}

test('a thousand publishes under way make nobody warn of leaks', async (t) => {
  const warnings: Error[] = []
  const warn = (warning: Error): void => void warnings.push(warning)
  process.on('warning', warn)
  t.after(() => process.off('warning', warn))
  const bus = new FaultyBus()
  const hub = node(bus, { busTimeout: 1_000 })
  const before = Array.from({ length: 20 }, (_, n) => hub.publish('x', { data: `${n}` }))
  await hub.ready()
  const all = Array.from({ length: 1_000 }, (_, n) => hub.publish('x', { data: `${n}` }))
  await rest(hub)
  await Promise.all([...before, ...all])
  assert.deepEqual(warnings, [])
  assert.equal(hub.fake.timers, 1, 'but for the one that looks at the head')
})

test('a loss in the bus is told however full the log is, to readers and to who resumes', async () => {
  for (const maxEvents of [1_000, 10]) {
    const bus = new FaultyBus()
    const hub = node(bus, { channelDefaults: { maxEvents } })
    await hub.ready()
    const { sink } = hub.open({ channels: ['x'] })
    for (let n = 1; n <= 10; n += 1) {
      await hub.publish('x', { data: String(n) })
      await rest(hub)
    }
    bus.passes = () => false
    for (let n = 11; n <= 20; n += 1) await hub.publish('x', { data: String(n) })
    bus.lost = 16
    bus.listener?.up({ epoch: hubEpoch(bus), head: 20 })
    await rest(hub)
    assert.equal(hub.stats().gaps, 1)
    assert.deepEqual(sink.data, [...numbers(1, 10), ...numbers(17, 20)])
    assert.equal(hub.open({ channels: ['x'] }, hub.idOf(12)).headers.get('Sluice-Resume'), 'gap')
  }
})

test('whoever ignores the promise of a publish is not ended by it', async (t) => {
  const unhandled: unknown[] = []
  const listener = (reason: unknown): void => void unhandled.push(reason)
  process.on('unhandledRejection', listener)
  t.after(() => process.off('unhandledRejection', listener))
  const bus = new FaultyBus()
  const hub = node(bus)
  await hub.ready()
  bus.appends = false
  void hub.publish('x', { data: '1' })
  void hub.publish('x', { event: 'a\nb' })
  await rest(hub)
  assert.deepEqual(unhandled, [])
  assert.equal(hub.errors.length, 2)
})

test('another epoch in the midst of a page: nothing of the old life under its ids, nothing of the new is missed', async () => {
  const bus = new FaultyBus()
  const hub = node(bus, { channelDefaults: { maxEvents: 8 } })
  await hub.ready()
  const { sink } = hub.open({ channels: ['x'] })
  bus.passes = () => false
  for (let n = 1; n <= 50; n += 1) await bus.inner.append('x', body(`old${n}`))
  // Fifty are read, with a pause for the readers now and then.
  bus.listener?.up({ epoch: hubEpoch(bus), head: 50 })
  while (sink.data.length < 16) {
    await new Promise((resolve) => setImmediate(resolve))
    hub.fake.turn()
  }
  const life = memoryBus()
  bus.read = (after, limit) => life.read(after, limit)
  const { listener } = bus
  await life.tail({ entry: (entry) => listener?.entry(entry), down() {}, up: (state) => listener?.up(state) })
  await rest(hub)
  for (let n = 1; n <= 5; n += 1) {
    await life.append('x', body(`new${n}`))
    await rest(hub)
  }
  const data = sink.events.map(({ event, data }) => (event === 'gap' ? 'gap' : data))
  assert.deepEqual(data.slice(data.indexOf('gap')), ['gap', 'new1', 'new2', 'new3', 'new4', 'new5'])
  assert.equal(hub.position, hub.idOf(5))
})

test('what was joined or let through in one life is not for the next', async () => {
  const bus = new FaultyBus()
  const hub = node(bus, { maxWriteBytes: 1_024 })
  await hub.ready()
  const guarded = hub.open({ channels: ['x'], filter: ({ data }) => !String(data).startsWith('secret') })
  const many = Array.from({ length: 400 }, () => hub.open({ channels: ['x'] }))
  const fed = (n: number, data: string) =>
    bus.listener?.entry({ position: n, previous: n - 1, channel: 'x', body: body(data) })
  // The second does not fit behind the first, and is let through before it is written.
  for (let n = 1; n <= 6; n += 1) fed(n, `old${n}`.padEnd(600, '.'))
  hub.fake.turn() // some of them have been written to, the others not yet
  bus.listener?.up({ epoch: 'another', head: 0 })
  for (let n = 1; n <= 6; n += 1) fed(n, `secret${n}`.padEnd(600, '.'))
  await rest(hub)
  for (const { sink } of many) {
    const data = sink.events.map(({ event, data }) => (event === 'gap' ? 'gap' : data.slice(0, 7)))
    const after = data.slice(data.indexOf('gap') + 1)
    assert.deepEqual(after, ['secret1', 'secret2', 'secret3', 'secret4', 'secret5', 'secret6'])
  }
  assert.ok(!guarded.sink.data.some((data) => data.startsWith('secret')))
})

test('a client that is ahead is not told a gap because an older answer was on its way', async () => {
  const bus = new FaultyBus()
  const behind = node(bus)
  await behind.ready()
  const ahead = node(bus.inner.share())
  await ahead.ready()
  const read = bus.read.bind(bus)
  let go = () => {}
  bus.read = async (after, limit) => {
    const page = await read(after, limit)
    await new Promise<void>((resolve) => {
      go = resolve
    })
    return page
  }
  bus.passes = () => false
  bus.listener?.up({ epoch: hubEpoch(bus), head: 0 })
  await rest(behind)
  const ids: string[] = []
  for (let n = 1; n <= 5; n += 1) ids.push(await ahead.publish('x', { data: String(n) }))
  const here = behind.open({ channels: ['x'] }, ids[4])
  await rest(behind)
  bus.read = read
  go()
  bus.passes = () => true
  await ahead.publish('x', { data: '6' })
  await rest(behind)
  behind.fake.advance(10_000)
  await rest(behind)
  assert.deepEqual(here.sink.data, ['6'])
  assert.equal(behind.stats().gaps, 0)
})

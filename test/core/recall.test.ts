// Reading the bus further back than a hub has heard it, while the bus and the hub change.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryBus } from '../../src/bus/memory.ts'
import type { HubOptions } from '../../src/core/hub-options.ts'
import { CoreHub, numbers } from '../support/core-hub.ts'
import { FaultyBus, rest } from '../support/faulty-bus.ts'
import { collectGarbage } from '../support/gc.ts'

/** Twenty events published elsewhere, and a hub that has heard none of them. */
async function afterwards(options: HubOptions = {}) {
  const inner = memoryBus()
  const elsewhere = new CoreHub({ bus: inner.share() })
  await elsewhere.ready()
  const ids: string[] = []
  for (let n = 1; n <= 20; n += 1) {
    const key = n === 3 ? 'rare' : 'common'
    ids.push(await elsewhere.publish('x', { data: String(n), key }))
  }
  await rest(elsewhere)
  const bus = new FaultyBus(inner.share())
  const hub = new CoreHub({ bus, ...options })
  await hub.ready()
  return { ids, bus, hub }
}

const reasonOf = (data: string | undefined): string => JSON.parse(data ?? '').reason

test('clients that come back at once are served by one pass, from the oldest of their places', async () => {
  const { ids, hub } = await afterwards()
  const late = hub.open({ channels: ['x'] }, ids[14])
  const early = hub.open({ channels: ['x'] }, ids[4])
  const between = hub.open({ channels: ['x'] }, ids[9])
  await rest(hub)
  assert.deepEqual(late.sink.data, numbers(16, 20))
  assert.deepEqual(early.sink.data, numbers(6, 20))
  assert.deepEqual(between.sink.data, numbers(11, 20))
  assert.equal(hub.stats().gaps, 0)
})

test('a channel that conflates reads back the newest of each key, also of what its bounds push out', async () => {
  const options: HubOptions = { channelDefaults: { overflow: 'latest', maxEvents: 4 } }
  const { ids, hub } = await afterwards(options)
  const { sink } = hub.open({ channels: ['x'] }, ids[1])
  await rest(hub)
  assert.deepEqual(sink.data, ['3', '18', '19', '20'])
})

test('what the engine has trimmed when it is read back is told as a gap, and the rest is kept', async () => {
  const { ids, bus, hub } = await afterwards()
  bus.lost = 12
  const { sink } = hub.open({ channels: ['x'], onGap: 'oldest' }, ids[4])
  await rest(hub)
  assert.equal(sink.events[0]?.event, 'gap')
  assert.equal(reasonOf(sink.events[0]?.data), 'evicted')
  assert.deepEqual(sink.data, numbers(13, 20))
})

test('an epoch that changes while it is read back: what was read means nothing, and the client is told', async () => {
  const { ids, bus, hub } = await afterwards()
  bus.reads = false // the first pages fail; the hub tries again
  const { sink } = hub.open({ channels: ['x'] }, ids[4])
  await rest(hub)
  bus.epoch = 'another life'
  bus.reads = true
  hub.fake.advance(1_000)
  await rest(hub)
  // The feed looks at the head, and finds the new life.
  hub.fake.advance(10_000)
  await rest(hub)
  const told = sink.events.map(({ event, data }) => (event === 'gap' ? reasonOf(data) : data))
  assert.ok(told.includes('epoch'), told.join())
  assert.deepEqual(sink.data, [], 'nothing of the old life')
})

test('a hub that closes while it reads back lets nobody wait', async () => {
  const { ids, bus, hub } = await afterwards()
  bus.reads = false
  const { connection } = hub.open({ channels: ['x'] }, ids[4])
  await rest(hub)
  const closing = hub.close({ within: 0 })
  hub.fake.advance(1)
  await rest(hub)
  await closing
  assert.equal((await connection.closed).reason, 'shutdown')
  assert.equal(hub.fake.timers, 0)
})

/** A hub whose client waits for its place after the second of twenty events, and what lets it go on. */
async function waiting(channels: string[]) {
  const { ids, bus, hub } = await afterwards()
  bus.reads = false
  const { connection, sink } = hub.open({ channels }, ids[1])
  const goOn = async () => {
    bus.reads = true
    for (let tries = 0; tries < 4; tries += 1) {
      hub.fake.advance(10_000)
      await rest(hub)
    }
  }
  return { bus, hub, connection, sink, goOn }
}

test('while a client waits, what it is subscribed to and taken from is taken into account, and nothing is read', async () => {
  const { hub, connection, sink, goOn } = await waiting(['x', 'secret'])
  connection.subscribe('x')
  connection.subscribe('y')
  connection.unsubscribe('secret')
  assert.deepEqual(connection.channels, ['x', 'y'])
  await hub.publish('y', { data: 'y' })
  await hub.publish('secret', { data: 'secret' })
  await rest(hub)
  assert.deepEqual(sink.events, [])
  await goOn()
  await hub.publish('x', { data: 'last' })
  await rest(hub)
  assert.deepEqual(sink.data, [...numbers(3, 20), 'y', 'last'])
  assert.deepEqual(connection.channels, ['x', 'y'])
})

test('an engine that does not answer for longer than maxAge has lost nothing', async () => {
  const { hub, connection, sink, goOn } = await waiting(['x'])
  for (let n = 0; n < 60; n += 1) {
    hub.fake.advance(10_000)
    await rest(hub)
  }
  await goOn()
  assert.ok(connection.isOpen)
  assert.deepEqual(sink.data, numbers(3, 20))
  assert.equal(hub.stats().gaps, 0)
})

test('clients that leave while they wait are let go', async () => {
  const { ids, bus, hub } = await afterwards()
  bus.reads = false
  const kept: WeakRef<object>[] = []
  for (let n = 0; n < 100; n += 1) {
    const { connection } = hub.open({ channels: ['x'] }, ids[1])
    kept.push(new WeakRef(connection))
    connection.destroy('client')
    await rest(hub)
  }
  await collectGarbage()
  assert.equal(hub.stats().connections, 0)
  const alive = kept.filter((one) => one.deref()).length
  assert.ok(alive < 10, `${alive} of 100 are held`)
})

// Two real Redis servers, of which one is killed: the hub goes on with the other, and says so to its clients.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { failover } from '../../src/bus/failover.ts'
import { memoryBus } from '../../src/bus/memory.ts'
import { redisBus } from '../../src/bus/redis.ts'
import type { Bus } from '../../src/core/bus.ts'
import { heard } from '../support/bus.ts'
import { Client } from '../support/client.ts'
import { need } from '../support/need.ts'
import { redis, redisServer } from '../support/redis.ts'
import { eventually, serve } from '../support/server.ts'
import { busContract } from './contract.ts'

busContract('failover', async () => {
  const buses = [memoryBus(), memoryBus()] as const
  return {
    bus: async () => failover(buses.map((bus) => bus.share())),
    close: async () => {
      for (const bus of buses) await bus.close()
    },
  }
})

test('the standby takes over, clients are told a gap and go on, publishes are stored there', {
  ...need('redis-server', redisServer),
  timeout: 60_000,
}, async (t) => {
  const servers = [await redis(t), await redis(t)]
  const clients = servers.map(({ port }) => new Redis({ port, host: '127.0.0.1', maxRetriesPerRequest: 1 }))
  for (const client of clients) client.on('error', () => {})
  const switches: number[] = []
  const bus = failover(
    clients.map((client) => redisBus({ client, key: 'failover', timeout: 500 })),
    { after: 400, onSwitch: (_, index) => switches.push(index) },
  )
  t.after(async () => {
    await bus.close()
    for (const client of clients) client.disconnect()
  })
  const { hub, url } = await serve(t, (mine, req, res) => void mine.connect(req, res, { channels: ['a'] }), {
    bus,
    busTimeout: 500,
  })
  await hub.ready()
  const client = await Client.open(url)
  await hub.publish('a', { data: '1' })
  await client.count(1)
  const before = hub.position
  await servers[0]?.kill()
  await eventually(() => switches.length === 1)
  await client.until(() => client.events.length === 2, 'the gap')
  assert.equal(client.events[1]?.event, 'gap')
  assert.equal(JSON.parse(client.events[1]?.data ?? '').reason, 'epoch')
  await hub.publish('a', { data: '2' })
  await client.count(3)
  assert.equal(client.events[2]?.data, '2')
  assert.notEqual(hub.position.split('-')[0], before.split('-')[0])
  assert.equal(client.closed, false, 'its stream was never cut')
  const old = await Client.open(url, { headers: { 'last-event-id': before } })
  assert.equal(old.headers['sluice-resume'], 'gap')
  old.drop()
  client.drop()
})

test('a feed that comes back in time is kept; one that fails at the start is passed over', async () => {
  const [first, second] = [memoryBus(), memoryBus()]
  let listener: Parameters<Bus['tail']>[0] | undefined
  const shaky: Bus = {
    name: 'shaky',
    append: (...args) => first.append(...args),
    read: (...args) => first.read(...args),
    close: () => first.close(),
    tail: (one) => {
      listener = one
      return first.tail(one)
    },
  }
  const bus = failover([shaky, second], { after: 30 })
  const feed = heard()
  const tail = await bus.tail(feed.listener)
  await feed.next('up')
  listener?.down(new Error('a blip'))
  listener?.up({ epoch: 'same', head: 0 })
  await new Promise((resolve) => setTimeout(resolve, 60))
  assert.equal(bus.name, 'shaky')
  listener?.down(new Error('gone'))
  await feed.next('up', ({ epoch }) => epoch !== 'same')
  assert.equal(bus.name, 'memory')
  // What the one that was left still says is passed on no more.
  listener?.entry({ position: 99, previous: 98, channel: 'a', body: new Uint8Array() })
  await bus.append('a', new Uint8Array([1]))
  assert.deepEqual((await feed.next('entry')).entry.position, 1)
  await tail.close()
  await bus.close()

  const dead: Bus = { ...shaky, tail: () => Promise.reject(new Error('refused')) }
  const started = failover([dead, memoryBus()], { after: 30 })
  await started.tail(heard().listener)
  assert.equal(started.name, 'memory')
  await started.close()
  const none = failover([dead, { ...dead, name: 'other' }], { after: 30 })
  await assert.rejects(none.tail(heard().listener), /refused/)
  assert.equal(none.name, 'shaky', 'the next attempt begins with the first choice')
  assert.throws(() => failover([dead]), { code: 'SLUICE_BAD_OPTION' })
})

/** A bus whose feeds and answers a test can hold up. */
function held() {
  const inner = memoryBus()
  const listeners: Parameters<Bus['tail']>[0][] = []
  let refusals = 0
  let gate: Promise<void> | undefined
  const bus: Bus = {
    name: 'held',
    append: async (...args) => {
      const position = await inner.append(...args)
      await gate
      return position
    },
    read: async (...args) => {
      const page = await inner.read(...args)
      await gate
      return page
    },
    close: () => inner.close(),
    tail: (listener) => {
      if (refusals-- > 0) return Promise.reject(new Error('refused'))
      listeners.push(listener)
      return inner.tail(listener)
    },
  }
  return {
    bus,
    refuse: (times: number) => {
      refusals = times
    },
    hold: () => {
      let open = () => {}
      gate = new Promise((resolve) => {
        open = resolve
      })
      return open
    },
    down: () => {
      for (const one of listeners) one.down(new Error('gone'))
    },
    downFirst: () => listeners[0]?.down(new Error('gone')),
  }
}

test('a node that starts during a blip waits for the first choice', async (t) => {
  const primary = held()
  primary.refuse(2)
  const bus = failover([primary.bus, memoryBus()], { after: 5_000 })
  t.after(() => bus.close())
  await bus.tail(heard().listener)
  assert.equal(bus.name, 'held')
})

test('an answer of the bus that was left is none of the one in use', async (t) => {
  const primary = held()
  const bus = failover([primary.bus, memoryBus()], { after: 30 })
  t.after(() => bus.close())
  const feed = heard()
  await bus.tail(feed.listener)
  const { epoch } = await feed.next('up')
  const open = primary.hold()
  const late = [bus.read(0, 10), bus.append('a', new Uint8Array([1]))]
  const settled = Promise.allSettled(late)
  primary.down()
  await feed.next('up', (up) => up.epoch !== epoch)
  open()
  for (const answer of await settled) {
    assert.equal(answer.status, 'rejected')
    assert.equal(answer.status === 'rejected' && answer.reason.code, 'SLUICE_BUS_UNAVAILABLE')
  }
  assert.equal((await bus.read(0, 10)).entries.length, 0)
})

test('all feeds go where one has gone', async (t) => {
  const primary = held()
  const bus = failover([primary.bus, memoryBus()], { after: 30 })
  t.after(() => bus.close())
  const feeds = [heard(), heard()]
  const epochs: string[] = []
  for (const { listener, next } of feeds) {
    await bus.tail(listener)
    epochs.push((await next('up')).epoch)
  }
  primary.downFirst()
  for (const { next } of feeds) await next('up', ({ epoch }) => epoch !== epochs[0])
  await bus.append('a', new Uint8Array([1]))
  for (const { next } of feeds) assert.equal((await next('entry')).entry.position, 1)
})

test('between the change and the feed that follows nothing is stored', async (t) => {
  const [primary, standby] = [held(), memoryBus()]
  let open = () => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  const slow: Bus = {
    name: 'slow',
    append: (...args) => standby.append(...args),
    read: (...args) => standby.read(...args),
    close: () => standby.close(),
    tail: async (listener) => {
      await gate
      return standby.tail(listener)
    },
  }
  const bus = failover([primary.bus, slow], { after: 30 })
  t.after(() => bus.close())
  const feed = heard()
  await bus.tail(feed.listener)
  const { epoch } = await feed.next('up')
  primary.down()
  await eventually(() => bus.name === 'slow')
  await assert.rejects(bus.append('a', new Uint8Array([1])), { code: 'SLUICE_BUS_UNAVAILABLE' })
  open()
  await feed.next('up', (state) => state.epoch !== epoch)
  assert.equal(await bus.append('a', new Uint8Array([1])), 1)
})

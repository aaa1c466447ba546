// Hubs of several nodes over a real Redis that is killed, hangs, is cut off and forgets: what their clients see.

import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { Redis } from 'ioredis'
import { redisBus } from '../../src/bus/redis.ts'
import type { Hub, HubOptions } from '../../src/index.ts'
import { Client } from '../support/client.ts'
import { within } from '../support/fetch-client.ts'
import { need } from '../support/need.ts'
import { redis, redisServer } from '../support/redis.ts'
import { eventually, serve } from '../support/server.ts'
import { tcpRelay } from '../support/tcp-relay.ts'

interface Node {
  hub: Hub
  url: string
}

const range = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index))

async function node(t: TestContext, port: number, options: HubOptions = {}): Promise<Node> {
  const client = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 50, maxRetriesPerRequest: 1 })
  client.on('error', () => {})
  const bus = redisBus({ client, key: 'nodes', timeout: 800 })
  t.after(async () => {
    await bus.close()
    client.disconnect()
  })
  const { hub, url } = await serve(t, (mine, req, res) => void mine.connect(req, res, { channels: ['a'] }), {
    bus,
    busTimeout: 1_000,
    heartbeat: 300,
    ...options,
  })
  // Failures are asked for below; the console need not hear of them.
  hub.on('error', () => {})
  await within(hub.ready(), 'the bus')
  return { hub, url }
}

/** Publishes until it is stored: the publisher's business when a broker is away. */
async function persist(hub: Hub, data: string): Promise<void> {
  const end = performance.now() + 20_000
  for (;;) {
    try {
      await hub.publish('a', { data })
      return
    } catch (error) {
      if (performance.now() > end) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

describe('nodes over Redis', { ...need('redis-server', redisServer), timeout: 120_000 }, () => {
  test('a node that goes: its clients resume at another with the exact suffix', async (t) => {
    const server = await redis(t)
    const [a, b] = [await node(t, server.port), await node(t, server.port)]
    const clients = await Promise.all(Array.from({ length: 20 }, () => Client.open(a.url)))
    for (let n = 1; n <= 50; n += 1) await (n % 2 ? a : b).hub.publish('a', { data: String(n) })
    await Promise.all(clients.map((client) => client.count(50)))
    const ids = clients.map(({ lastEventId }) => lastEventId)
    assert.equal(new Set(ids).size, 1)
    await a.hub.close({ within: 0 })
    for (let n = 51; n <= 60; n += 1) await b.hub.publish('a', { data: String(n) })
    const again = await Promise.all(ids.map((id) => Client.open(b.url, { headers: { 'last-event-id': id } })))
    await Promise.all(again.map((client) => client.count(10)))
    for (const client of again) {
      assert.deepEqual(client.data, range(51, 60))
      client.drop()
    }
  })

  test('Redis hangs for a while: streams stay open, publishes reject in bounded time, nothing is lost or doubled', async (t) => {
    const server = await redis(t)
    const [a, b] = [await node(t, server.port), await node(t, server.port)]
    const clients = [await Client.open(a.url), await Client.open(b.url)]
    await a.hub.publish('a', { data: '1' })
    await Promise.all(clients.map((client) => client.count(1)))
    server.freeze(true)
    t.after(() => server.freeze(false))
    const asked = performance.now()
    await assert.rejects(a.hub.publish('a', { data: 'lost?' }), { code: 'SLUICE_BUS_UNAVAILABLE' })
    assert.ok(performance.now() - asked < 3_000)
    const beats = clients[0]?.comments.length ?? 0
    await clients[0]?.until(() => (clients[0]?.comments.length ?? 0) > beats + 2, 'heartbeats')
    const newcomer = await Client.open(b.url)
    assert.equal(newcomer.status, 200)
    server.freeze(false)
    await persist(b.hub, '2')
    await persist(a.hub, '3')
    await Promise.all(clients.map((client) => client.until(() => client.data.includes('3'), 'the end')))
    for (const { data, events } of clients) {
      // The one that got no answer may have been stored, once.
      assert.deepEqual(
        data.filter((one) => one !== 'lost?'),
        ['1', '2', '3'],
      )
      assert.ok(data.filter((one) => one === 'lost?').length <= 1)
      assert.ok(events.every(({ event }) => event === 'message'))
    }
    for (const client of [...clients, newcomer]) client.drop()
  })

  test('a node is cut off from Redis while others publish: it reads on from where it was', async (t) => {
    const server = await redis(t)
    const relay = await tcpRelay(t, server.port)
    const far = await node(t, relay.port)
    const near = await node(t, server.port)
    const client = await Client.open(far.url)
    await near.hub.publish('a', { data: '1' })
    await client.count(1)
    // Nothing listens there any more.
    const target = relay.target
    relay.target = 1
    relay.cut()
    for (let n = 2; n <= 700; n += 1) await near.hub.publish('a', { data: String(n) })
    await assert.rejects(far.hub.publish('a', { data: 'x' }), { code: 'SLUICE_BUS_UNAVAILABLE' })
    await eventually(() => far.hub.stats().bus?.state === 'down')
    assert.equal(client.closed, false)
    relay.target = target
    await client.count(699)
    await near.hub.publish('a', { data: '701' })
    await client.count(701)
    assert.deepEqual(client.data, range(1, 701))
    assert.equal(far.hub.stats().gaps, 0)
    client.drop()
  })

  test('Redis is killed and comes back empty: every client is told a gap, and goes on', async (t) => {
    const server = await redis(t)
    const nodes = [await node(t, server.port), await node(t, server.port)]
    const clients = await Promise.all(nodes.map(({ url }) => Client.open(url)))
    await nodes[0]?.hub.publish('a', { data: '1' })
    await Promise.all(clients.map((client) => client.count(1)))
    const before = clients[0]?.lastEventId ?? ''
    await server.kill()
    await server.start()
    await Promise.all(clients.map((client) => client.until(() => client.events.length >= 2, 'the gap')))
    for (const client of clients) {
      assert.equal(client.events[1]?.event, 'gap')
      assert.equal(JSON.parse(client.events[1]?.data ?? '').reason, 'epoch')
      assert.equal(client.closed, false)
    }
    await persist((nodes[1] as Node).hub, '2')
    await Promise.all(clients.map((client) => client.until(() => client.data.at(-1) === '2', 'what follows')))
    const old = await Client.open((nodes[0] as Node).url, { headers: { 'last-event-id': before } })
    assert.equal(old.headers['sluice-resume'], 'gap')
    for (const client of [...clients, old]) client.drop()
  })

  test('a slow node, whose event loop is held up, catches up and loses nothing', async (t) => {
    const server = await redis(t)
    const [slow, quick] = [await node(t, server.port), await node(t, server.port)]
    const client = await Client.open(slow.url)
    await client.until(() => client.lastEventId !== '')
    const publishing: Promise<string>[] = []
    for (let n = 1; n <= 3_000; n += 1) {
      publishing.push(quick.hub.publish('a', { data: String(n) }))
      if (n % 500 === 0) {
        await Promise.all(publishing.splice(0))
        // Both live in this process: what is held up is the loop that they share, between the store and the feed.
        const end = performance.now() + 100
        while (performance.now() < end) {}
      }
    }
    await client.count(3_000)
    assert.deepEqual(client.data, range(1, 3_000))
    assert.equal(slow.hub.stats().gaps, 0)
    client.drop()
  })

  test('a node that has just started answers a resume from before its time', async (t) => {
    const server = await redis(t)
    const a = await node(t, server.port)
    const there = await Client.open(a.url)
    for (let n = 1; n <= 800; n += 1) await a.hub.publish('a', { data: String(n) })
    await there.count(800)
    const b = await node(t, server.port)
    const ids = [there.events[99], there.events[499]].map((event) => event?.lastEventId ?? '')
    const clients = await Promise.all(
      ids.map((id) => Client.open(b.url, { headers: { 'last-event-id': id } })),
    )
    assert.equal(clients[0]?.headers['sluice-resume'], 'pending')
    await clients[0]?.count(700)
    await clients[1]?.count(300)
    assert.deepEqual(clients[0]?.data, range(101, 800))
    assert.deepEqual(clients[1]?.data, range(501, 800))
    for (const client of [...clients, there]) client.drop()
  })
})

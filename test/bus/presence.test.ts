// Who is connected: in one process, and across nodes over real Redis and real NATS.

import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { jetstream } from '@nats-io/jetstream'
import { Kvm } from '@nats-io/kv'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { type Presence, type PresenceStore, presence } from '../../src/bus/presence.ts'
import { natsPresence } from '../../src/bus/presence-nats.ts'
import { redisPresence } from '../../src/bus/presence-redis.ts'
import { createHub, type Hub } from '../../src/web.ts'
import { nats, natsServer } from '../support/nats.ts'
import { need } from '../support/need.ts'
import { redis, redisServer } from '../support/redis.ts'
import { eventually } from '../support/server.ts'

const TTL = 1_200

function hubOf(t: TestContext): Hub {
  const hub = createHub()
  t.after(() => hub.close({ within: 0 }))
  return hub
}

/** Opens a stream of that key; the returned function is its client leaving. */
function open(hub: Hub, key: string | undefined, ...channels: string[]): () => void {
  const abort = new AbortController()
  hub.respond(new Request('http://a.example/', { signal: abort.signal }), { channels, key })
  return () => abort.abort()
}

async function until(
  present: Presence,
  channel: string,
  done: (connections: number) => boolean,
): Promise<void> {
  const end = performance.now() + 10_000
  for (;;) {
    const { connections } = await present.of(channel)
    if (done(connections)) return
    if (performance.now() > end) throw new Error(`gave up; ${channel} has ${connections}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

test('in one process: connections, keys, nodes, at once', async (t) => {
  const hub = hubOf(t)
  const present = presence(hub)
  assert.deepEqual(await present.of('room'), { connections: 0, keys: [], nodes: 0 })
  const leave = open(hub, 'ada', 'room', 'other')
  open(hub, 'ada', 'room')
  open(hub, 'constructor', 'room')
  open(hub, undefined, 'room')
  const { connections, keys, nodes } = await present.of('room')
  assert.deepEqual([connections, keys.sort(), nodes], [4, ['ada', 'constructor'], 1])
  leave()
  assert.equal((await present.of('room')).connections, 3)
  assert.equal((await present.of('other')).connections, 0)
  await present.close()
  assert.throws(() => presence(hub, { ttl: 1 }), { code: 'SLUICE_BAD_OPTION' })
})

const stores: [
  name: string,
  found: unknown,
  make: (t: TestContext) => Promise<() => Promise<PresenceStore>>,
][] = [
  [
    'Redis (ioredis)',
    redisServer,
    async (t) => {
      const { port } = await redis(t)
      return async () => {
        const client = new Redis({ port, host: '127.0.0.1' })
        t.after(() => client.disconnect())
        return redisPresence({ client, key: 'app' })
      }
    },
  ],
  [
    'Redis (node-redis)',
    redisServer,
    async (t) => {
      const { port } = await redis(t)
      return async () => {
        const client = createClient({ socket: { host: '127.0.0.1', port } })
        client.on('error', () => {})
        await client.connect()
        t.after(() => client.destroy())
        return redisPresence({ client, key: 'app' })
      }
    },
  ],
  [
    'NATS key-value',
    natsServer,
    async (t) => {
      const server = await nats(t)
      return async () => {
        const connection = await server.connect()
        return natsPresence({
          bucket: await new Kvm(connection).create('presence', { ttl: TTL, history: 1 }),
          jetstream: jetstream(connection),
        })
      }
    },
  ],
]

for (const [name, found, make] of stores) {
  describe(`across nodes, over ${name}`, { ...need(name, found), timeout: 60_000 }, () => {
    test('opened and closed on one is known on the other; a node that goes takes its own away', async (t) => {
      const presences: Presence[] = []
      // Before the stores' clients go.
      t.after(() => Promise.all(presences.map((one) => one.close())))
      const store = await make(t)
      const [a, b] = [hubOf(t), hubOf(t)]
      const [here, there] = [
        presence(a, { store: await store(), ttl: TTL }),
        presence(b, { store: await store(), ttl: TTL }),
      ]
      presences.push(here, there)
      const channel = 'room {7}: é . * >'
      const leave = open(a, 'ada', channel)
      open(a, 'bob', channel)
      open(b, 'ada', channel)
      open(b, undefined, 'elsewhere')
      await until(there, channel, (connections) => connections === 3)
      const { keys, nodes } = await there.of(channel)
      assert.deepEqual([keys.sort(), nodes], [['ada', 'bob'], 2])
      leave()
      await until(there, channel, (connections) => connections === 2)
      await here.close()
      await until(there, channel, (connections) => connections === 1)
      assert.equal((await there.of('elsewhere')).connections, 1)
    })

    test('what is repeated stays, what a node that was killed has left expires', async (t) => {
      const presences: Presence[] = []
      t.after(() => Promise.all(presences.map((one) => one.close())))
      const store = await make(t)
      const [a, b] = [hubOf(t), hubOf(t)]
      const dead = await store()
      // What a node leaves that is never heard of again.
      await dead.put('dead', new Map([['room', { eve: 2 }]]), TTL)
      const live = presence(a, { store: await store(), ttl: TTL })
      const asker = presence(b, { store: await store(), ttl: TTL })
      presences.push(live, asker)
      open(a, 'ada', 'room')
      await until(asker, 'room', (connections) => connections === 3)
      await until(asker, 'room', (connections) => connections === 1)
      // Twice its time later it is still there.
      await new Promise((resolve) => setTimeout(resolve, 2 * TTL))
      assert.deepEqual(await asker.of('room'), { connections: 1, keys: ['ada'], nodes: 1 })
    })
  })
}

test('a store that fails is tried again, and nothing is thrown at anybody', async (t) => {
  const hub = hubOf(t)
  let fails = true
  const told: string[][] = []
  const store: PresenceStore = {
    put: async (_, channels) => {
      if (fails) throw new Error('away')
      told.push([...channels.keys()])
    },
    list: async () => {
      if (fails) throw new Error('away')
      return new Map()
    },
  }
  const errors: unknown[] = []
  const present = presence(hub, { store, ttl: 300, onError: (error) => errors.push(error) })
  t.after(() => present.close())
  open(hub, 'ada', 'room')
  await assert.rejects(present.of('room'), /away/)
  await eventually(() => errors.length >= 2)
  assert.match(String(errors[0]), /away/)
  fails = false
  await until(present, 'room', () => told.length > 0)
  assert.deepEqual(told[0], ['room'])
})

test('what is no store, or another application has written, is refused or passed over', {
  ...need('redis-server', redisServer),
}, async (t) => {
  for (const bucket of [undefined, null, 'presence', {}]) {
    const options = { bucket: bucket as never, jetstream: { jetstreamManager: async () => ({}) as never } }
    assert.throws(() => natsPresence(options), { code: 'SLUICE_BAD_OPTION', message: /^bucket/ })
  }
  const bucket = {
    put: async () => {},
    delete: async () => {},
    get: async () => null,
    status: async () => ({ bucket: 'b' }),
  }
  assert.throws(() => natsPresence({ bucket, jetstream: 5 as never }), { message: /^jetstream is 5/ })
  const { port } = await redis(t)
  const client = new Redis({ port, host: '127.0.0.1' })
  t.after(() => client.disconnect())
  for (const key of ['', 'a{b}', 5]) {
    assert.throws(() => redisPresence({ client, key: key as string }), { code: 'SLUICE_BAD_OPTION' })
  }
  const store = redisPresence({ client, key: 'app' })
  const hub = hubOf(t)
  const present = presence(hub, { store, ttl: TTL })
  t.after(() => present.close())
  const foreign = [
    'not JSON',
    '5',
    'null',
    '{}',
    '{"ada":-1}',
    '{"ada":1.5}',
    '{"ada":"many"}',
    '{"eve":2,"ada":0}',
  ]
  for (const [n, text] of foreign.entries()) {
    await client.sadd('{app:room}:here', `node${n}`)
    await client.set(`{app:room}:here:node${n}`, text, 'PX', TTL)
  }
  assert.deepEqual(await present.of('room'), { connections: 2, keys: ['eve'], nodes: 1 })
  await client.sadd('{app:room}:here', 'dead')
  assert.equal((await present.of('room')).nodes, 1)
  assert.equal(await client.sismember('{app:room}:here', 'dead'), 0, 'whose key has expired is taken out')
  assert.equal(await client.scard('{app:room}:here'), foreign.length, 'and nobody else')
})

test('rounds do not pile up while the store hangs, and are not put off by those who come and go all the time', async (t) => {
  const hub = hubOf(t)
  let puts = 0
  let answer: (() => void) | undefined
  const store: PresenceStore = {
    put: () => {
      puts += 1
      return new Promise((resolve) => {
        answer = resolve
      })
    },
    list: async () => new Map(),
  }
  const present = presence(hub, { store, ttl: 60_000 })
  t.after(() => present.close())
  await eventually(() => puts === 1)
  answer?.()
  // Somebody comes or goes in each turn: a round begins all the same.
  let leave = () => {}
  await eventually(() => {
    leave()
    leave = open(hub, 'ada', 'room')
    return puts === 2
  })
  for (let n = 0; n < 1_000; n += 1) open(hub, `${n}`, 'room')()
  const end = performance.now() + 500
  await eventually(() => performance.now() > end)
  assert.equal(puts, 2, 'one round at a time')
  answer?.()
  await eventually(() => puts === 3)
  answer?.()
  const later = performance.now() + 500
  await eventually(() => performance.now() > later)
  assert.equal(puts, 3, 'all that changed was told in one')
})

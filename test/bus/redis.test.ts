import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { redisBus } from '../../src/bus/redis.ts'
import { SluiceError } from '../../src/core/errors.ts'
import { heard } from '../support/bus.ts'
import { need } from '../support/need.ts'
import { freePort } from '../support/nginx.ts'
import { type RedisServer, redis, redisServer, sentinel } from '../support/redis.ts'
import {
  busOf,
  CLIENTS,
  CLUSTER_CLIENTS,
  type Made,
  type Maker,
  SENTINEL_CLIENTS,
  UNUSUAL,
} from '../support/redis-clients.ts'
import { busContract, readAll } from './contract.ts'

const needed = need('redis-server', redisServer)
const bytes = (text: string) => new TextEncoder().encode(text)

let server: RedisServer
let cluster: RedisServer
let watch: Awaited<ReturnType<typeof sentinel>>
before(async () => {
  if (needed.skip) return
  server = await redis()
  watch = await sentinel(server)
  cluster = await redis(undefined, ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'])
  await cluster.control.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
  for (let state = ''; !state.includes('cluster_state:ok'); ) {
    state = String(await cluster.control.call('CLUSTER', 'INFO'))
  }
})
after(async () => {
  await watch?.close()
  await server?.close()
  await cluster?.close()
})

let logs = 0

function contractOf(name: string, make: Maker, on: () => RedisServer, portOf = () => on().port): void {
  busContract(
    `redis through ${name}`,
    async () => {
      const key = `log ${++logs}`
      const made: Made[] = []
      return {
        async bus() {
          const one = await make(portOf())
          made.push(one)
          return redisBus({ client: one.client, key })
        },
        async trim(keep) {
          const [stream] = await on().control.keys(`*{${key}}:log`)
          assert.ok(stream)
          await on().control.xtrim(stream, 'MAXLEN', keep)
        },
        async hang() {
          on().freeze(true)
          return () => on().freeze(false)
        },
        usable: async () => void (await Promise.all(made.map((one) => one.ping()))),
        async close() {
          for (const one of made) one.end()
        },
      }
    },
    needed,
  )
}

for (const [name, make] of Object.entries(CLIENTS)) contractOf(name, make, () => server)
for (const [name, make] of Object.entries(CLUSTER_CLIENTS)) contractOf(name, make, () => cluster)
for (const [name, make] of Object.entries(SENTINEL_CLIENTS)) {
  contractOf(
    name,
    make,
    () => server,
    () => watch.port,
  )
}

for (const [name, make] of Object.entries(UNUSUAL)) {
  test(`${name}: a feed is not ended by what the application's client has been told`, needed, async (t) => {
    const own = await redis(t)
    const bus = await busOf(t, make, own.port)
    const feed = heard()
    await bus.tail(feed.listener)
    const { epoch } = await feed.next('up')
    assert.equal((await own.control.keys('*')).length, 2)
    await new Promise((resolve) => setTimeout(resolve, 1_500)) // longer than the timeouts of this client
    const writer = await busOf(t, make, own.port)
    const position = await writer.append('c', Uint8Array.of(0, 255, 10))
    const { entry } = await feed.next('entry')
    assert.deepEqual(
      { ...entry, body: [...entry.body] },
      { position, previous: 0, channel: 'c', body: [0, 255, 10] },
    )
    const page = await writer.read(0, 10)
    assert.equal(page.epoch, epoch)
    assert.deepEqual([...(page.entries[0]?.body ?? [])], [0, 255, 10])
    assert.equal(feed.downs, 0)
  })
}

const ioredis = CLIENTS.ioredis as Maker

test('holds about maxEvents entries', needed, async (t) => {
  const bus = await busOf(t, ioredis, server.port, { key: 'counted', maxEvents: 1_000 })
  for (let at = 0; at < 60; at += 1) {
    await Promise.all(Array.from({ length: 50 }, () => bus.append('c', bytes('x'))))
  }
  const held = await server.control.xlen('{counted}:log')
  assert.ok(held >= 1_000 && held < 1_300, `${held}`)
  assert.equal((await bus.read(0, 1)).lost, 'trimmed')
})

for (const size of [50, 5_000, 300_000]) {
  test(`holds about maxBytes of entries of ${size} bytes`, needed, async (t) => {
    const key = `weighed ${size}`
    const bus = await busOf(t, ioredis, server.port, { key, maxBytes: 1_000_000 })
    const all = Math.ceil(5_000_000 / (size + 65))
    for (let at = 0; at < all; at += 50) {
      await Promise.all(
        Array.from({ length: Math.min(50, all - at) }, () => bus.append('c', new Uint8Array(size))),
      )
      const held = (await server.control.xlen(`{${key}}:log`)) * (size + 65)
      assert.ok(held <= 1_000_000 + 65_536 + size, `${held} bytes after ${at}`)
    }
    const held = (await server.control.xlen(`{${key}}:log`)) * (size + 65)
    assert.ok(held >= 1_000_000 - size - 65, `${held} bytes`)
    const { entries, lost } = await bus.read(0, 10)
    assert.equal(lost, 'trimmed')
    assert.equal((await bus.read(entries[0]?.previous ?? 0, 10)).lost, undefined)
  })
}

test('one entry larger than maxBytes is held alone', needed, async (t) => {
  const bus = await busOf(t, ioredis, server.port, { key: 'one', maxBytes: 1_000 })
  for (let at = 0; at < 3; at += 1) await bus.append('c', new Uint8Array(100_000))
  assert.equal((await readAll(bus)).length, 1)
})

test('a dedupe name is known for dedupeFor', needed, async (t) => {
  const bus = await busOf(t, ioredis, server.port, { key: 'named', dedupeFor: 1_000 })
  const first = await bus.append('c', bytes('x'), { dedupe: 'x' })
  const end = performance.now() + 5_000
  for (let next = first; next === first; ) {
    assert.ok(performance.now() < end)
    next = await bus.append('c', bytes('x'), { dedupe: 'x' })
  }
  assert.equal((await readAll(bus)).length, 2)
  assert.deepEqual(
    (await server.control.keys('{named}:*')).filter((key) => !key.startsWith('{named}:once:')).sort(),
    ['{named}:log', '{named}:meta'],
  )
})

test(
  'positions go on above a clock that goes back, and scripts that Redis has forgotten are sent again',
  needed,
  async (t) => {
    const bus = await busOf(t, ioredis, server.port, { key: 'ahead' })
    await bus.append('c', bytes('x'))
    const head = 8_000_000_000_000_000
    // As it would be if the clock had been far ahead.
    await server.control.xadd(
      '{ahead}:log',
      `${head}-0`,
      'e',
      (await bus.read(0, 1)).epoch,
      'p',
      '1',
      's',
      '0',
      'c',
      'c',
      'b',
      '',
    )
    await server.control.hset('{ahead}:meta', 'head', `${head}`)
    await server.control.script('FLUSH')
    assert.equal(await bus.append('c', bytes('y')), head + 1)
    await server.control.script('FLUSH')
    assert.deepEqual(
      (await bus.read(head, 5)).entries.map(({ position, previous }) => [position, previous]),
      [[head + 1, head]],
    )
  },
)

test('a server that is not there: append and read reject, and close ends', needed, async (t) => {
  const port = await freePort()
  for (const make of [CLIENTS.ioredis, CLIENTS.iovalkey] as Maker[]) {
    const bus = await busOf(t, make, port, { timeout: 300 })
    await assert.rejects(bus.append('c', bytes('x')))
    await assert.rejects(bus.read(0, 1))
    await assert.rejects(bus.tail(heard().listener))
  }
})

test('options are checked', async () => {
  const client = { call() {}, callBuffer() {}, duplicate() {} } as never
  const bad = (options: object, message: RegExp) =>
    assert.throws(
      () => redisBus({ client, key: 'log', ...options }),
      (error) =>
        error instanceof SluiceError && error.code === 'SLUICE_BAD_OPTION' && message.test(error.message),
    )
  bad({ client: undefined }, /client is undefined/)
  bad({ client: { call() {} } }, /client is an object/)
  for (const key of ['', 'a{b', '{}', 'a}', '{a}{b}', 'x'.repeat(257), 5]) bad({ key }, /^key is/)
  bad({ maxEvents: 0 }, /maxEvents is 0/)
  bad({ maxBytes: 0.5 }, /maxBytes is 0\.5/)
  bad({ dedupeFor: 999 }, /dedupeFor is 999/)
  bad({ timeout: Infinity }, /timeout is Infinity/)
  bad({ pageBytes: 0 }, /pageBytes is 0/)
  bad({ keys: 'a' }, /keys/)
  for (const key of ['log', 'app:{eu}:log', '{log}', 'ü 漢\n字']) redisBus({ client, key })
})

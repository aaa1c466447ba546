// What becomes of a bus over Redis when the server, the network or the data fail.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import type { Bus } from '../../src/core/bus.ts'
import { heard } from '../support/bus.ts'
import { within } from '../support/fetch-client.ts'
import { need } from '../support/need.ts'
import { redis, redisServer } from '../support/redis.ts'
import { busOf, CLIENTS } from '../support/redis-clients.ts'
import { tcpRelay } from '../support/tcp-relay.ts'
import { readAll, waitFor } from './contract.ts'

const needed = need('redis-server', redisServer)
const bytes = (text: string) => new TextEncoder().encode(text)
const text = (body: Uint8Array) => new TextDecoder().decode(body)

/** Appends again and again with one name until it is stored, as a hub does. */
async function stubborn(bus: Bus, body: string): Promise<number> {
  const end = performance.now() + 10_000
  for (;;) {
    try {
      return await bus.append('c', bytes(body), { dedupe: body, signal: AbortSignal.timeout(500) })
    } catch (error) {
      if (performance.now() > end) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

/** Asks until it is answered. */
async function patient<T>(ask: () => Promise<T>): Promise<T> {
  const end = performance.now() + 10_000
  for (;;) {
    try {
      return await within(ask(), 'an answer')
    } catch (error) {
      if (performance.now() > end) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

for (const [name, make] of Object.entries(CLIENTS)) {
  test(
    `${name}: a server that is killed and comes back empty is a new epoch, and up says so`,
    needed,
    async (t) => {
      const own = await redis(t)
      const bus = await busOf(t, make, own.port)
      const feed = heard()
      await bus.tail(feed.listener)
      const first = await feed.next('up')
      const before = await bus.append('c', bytes('before'))
      await feed.next('entry')
      await own.kill()
      await feed.next('down')
      const begun = performance.now()
      await assert.rejects(
        bus.append('c', bytes('while'), { dedupe: 'while', signal: AbortSignal.timeout(300) }),
      )
      await assert.rejects(bus.read(0, 1, { signal: AbortSignal.timeout(300) }))
      assert.ok(performance.now() - begun < 3_000)
      await own.start()
      const second = await feed.next('up')
      assert.notEqual(second.epoch, first.epoch)
      const after = await stubborn(bus, 'after')
      assert.ok(after > before)
      await feed.until(() => feed.entries.some((entry) => text(entry.body) === 'after'), 'the entry after')
      const page = await bus.read(0, 10)
      assert.equal(page.epoch, second.epoch)
      assert.equal(page.lost, undefined)
      assert.equal(page.entries.at(-1)?.position, after)
      assert.equal(feed.downs, 1)
    },
  )

  test(`${name}: a server that stands still for two seconds loses and doubles nothing`, needed, async (t) => {
    const own = await redis(t)
    const bus = await busOf(t, make, own.port)
    const reader = await busOf(t, make, own.port)
    const feed = heard()
    await reader.tail(feed.listener)
    const stored: number[] = []
    for (let at = 0; at < 20; at += 1) stored.push(await bus.append('c', bytes(`${at}`)))
    own.freeze(true)
    const thaw = setTimeout(() => own.freeze(false), 2_000)
    t.after(() => clearTimeout(thaw))
    const begun = performance.now()
    const signal = AbortSignal.timeout(200)
    await assert.rejects(bus.append('c', bytes('20'), { dedupe: '20', signal }), { name: 'TimeoutError' })
    assert.ok(performance.now() - begun < 1_500)
    for (let at = 20; at < 40; at += 1) stored.push(await stubborn(bus, `${at}`))
    await feed.until(() => feed.entries.length >= 40, 'all entries')
    const read = await readAll(reader)
    for (const entries of [feed.entries, read]) {
      assert.deepEqual(
        entries.map((entry) => [entry.position, text(entry.body)]),
        stored.map((position, at) => [position, `${at}`]),
      )
    }
    assert.equal(feed.downs, 0, 'the connection stood')
  })

  test(`${name}: a feed whose connection is killed comes up again`, needed, async (t) => {
    const own = await redis(t)
    const bus = await busOf(t, make, own.port)
    const feed = heard()
    await bus.tail(feed.listener)
    const first = await feed.next('up')
    for (let round = 1; round <= 3; round += 1) {
      let blocked: string | undefined
      while (blocked === undefined) {
        const clients = String(await own.control.client('LIST'))
        blocked = clients.split('\n').find((line) => / flags=\S*b/.test(line))
      }
      await own.control.client('KILL', 'ID', Number(/\bid=(\d+)/.exec(blocked)?.[1]))
      await feed.next('down')
      const missed = await stubborn(bus, `missed ${round}`)
      const up = await feed.next('up')
      assert.equal(up.epoch, first.epoch)
      const comes = await stubborn(bus, `comes ${round}`)
      await feed.until(() => feed.entries.some((entry) => entry.position === comes), 'the entry after it')
      const found = (await bus.read(0, 100)).entries.map((entry) => entry.position)
      assert.ok(
        found.includes(missed) && (up.head >= missed || feed.entries.some((it) => it.position === missed)),
      )
    }
    assert.equal(feed.downs, 3)
  })

  test(`${name}: an answer that is lost leaves one entry, whoever sends it again`, needed, async (t) => {
    const own = await redis(t)
    const relay = await tcpRelay(t, own.port)
    const bus = await busOf(t, make, relay.port)
    await bus.append('c', bytes('first'))
    const lost = relay.loseAnswer()
    const appended = bus.append('c', bytes('second'), { dedupe: 'second' }).catch((error: unknown) => error)
    await within(lost, 'the answer to get lost')
    const again = await stubborn(bus, 'second')
    const told = await appended
    assert.ok(told instanceof Error || told === again)
    // Nobody has named this one; a library that sends it again by itself must not double it either.
    const unnamed = relay.loseAnswer()
    const third = bus.append('c', bytes('third')).catch(() => {})
    await within(unnamed, 'the answer to get lost')
    await third
    await stubborn(bus, 'last')
    assert.deepEqual(
      (await readAll(bus)).map((entry) => text(entry.body)),
      ['first', 'second', 'third', 'last'],
    )
  })

  for (const [what, meddle] of Object.entries({
    'and nobody asks before the feed': () => {},
    'and it is appended to before the feed asks': (bus: Bus) => stubborn(bus, 'meddling'),
    'and it is read before the feed asks': (bus: Bus) => patient(() => bus.read(0, 1)),
  })) {
    test(
      `${name}: a replica takes over without what was acknowledged, ${what}: a new epoch`,
      needed,
      async (t) => {
        const primary = await redis(t, ['--repl-diskless-sync-delay', '0'])
        const replica = await redis(t)
        await replica.control.replicaof('127.0.0.1', primary.port)
        const relay = await tcpRelay(t, primary.port)
        const bus = await busOf(t, make, relay.port)
        const other = await busOf(t, make, relay.port)
        const feed = heard()
        const shared = await stubborn(bus, 'shared')
        await other.tail(feed.listener)
        const first = await feed.next('up')
        await waitFor(() => replica.control.status === 'ready', 'the replica')
        for (let there = false; !there; ) {
          const info = String(await replica.control.info('replication'))
          there = info.includes('master_link_status:up') && (await replica.control.xlen('{log}:log')) === 1
        }
        await replica.control.replicaof('NO', 'ONE')
        const lost = await bus.append('c', bytes('lost'))
        await feed.until(() => feed.entries.length === 1, 'the entry that will be lost')
        relay.target = replica.port
        relay.cut()
        await primary.kill()
        // Somebody else is faster, and does not know of it; the position of the lost one is not used again.
        const stranger = await busOf(t, make, replica.port)
        const taken = await stranger.append('c', bytes('stranger'))
        assert.ok(taken > lost)
        await meddle(other)
        const second = await feed.next('up')
        assert.notEqual(second.epoch, first.epoch)
        const after = await stubborn(bus, 'after')
        assert.ok(after > taken)
        await feed.until(() => feed.entries.at(-1)?.position === after, 'the entry after it')
        const page = await bus.read(shared, 10)
        assert.equal(page.epoch, second.epoch)
        assert.equal(page.entries[0]?.previous, 0, 'nothing of the old epoch')
        assert.equal(page.entries.at(-1)?.position, after)
      },
    )
  }

  test(
    `${name}: what the client library sends again when its name is forgotten is not stored twice`,
    needed,
    async (t) => {
      const own = await redis(t)
      const relay = await tcpRelay(t, own.port)
      const bus = await busOf(t, make, relay.port, { dedupeFor: 1_000, timeout: 500 })
      await bus.append('c', bytes('first'))
      const lost = relay.loseAnswer()
      const appended = bus.append('c', bytes('once'), { dedupe: 'once' }).catch((error: unknown) => error)
      await within(lost, 'the answer to get lost')
      relay.target = 1 // nobody is there
      await appended
      const known = async () => (await own.control.keys('{log}:once:*')).length
      for (const end = performance.now() + 10_000; (await known()) > 0; ) assert.ok(performance.now() < end)
      relay.target = own.port
      await stubborn(bus, 'last')
      assert.deepEqual(
        (await readAll(bus)).map((entry) => text(entry.body)),
        ['first', 'once', 'last'],
      )
    },
  )

  test(`${name}: a log that is deleted under a standing feed is a new epoch`, needed, async (t) => {
    const own = await redis(t)
    const bus = await busOf(t, make, own.port)
    const feed = heard()
    await bus.tail(feed.listener)
    const first = await feed.next('up')
    const before = await bus.append('c', bytes('before'))
    await feed.next('entry')
    await own.control.flushall()
    const after = await stubborn(bus, 'after')
    assert.ok(after > before)
    await feed.next('down')
    const second = await feed.next('up')
    assert.notEqual(second.epoch, first.epoch)
    const page = await bus.read(0, 10)
    assert.equal(page.epoch, second.epoch)
    assert.deepEqual(
      page.entries.map(({ position, previous }) => [position, previous]),
      [[after, 0]],
    )
    assert.equal(page.lost, undefined)
  })

  test(`${name}: a feed that cannot be established rejects, in bounded time`, needed, async (t) => {
    const own = await redis(t)
    const bus = await busOf(t, make, own.port, { timeout: 500 })
    own.freeze(true)
    const begun = performance.now()
    await assert.rejects(bus.tail(heard().listener), /took more than 500 ms/)
    assert.ok(performance.now() - begun < 2_000)
    own.freeze(false)
    await own.kill()
    await assert.rejects(within(bus.tail(heard().listener), 'the second attempt'))
    await own.start()
    const feed = heard()
    await bus.tail(feed.listener)
    await feed.next('up')
  })

  test(`${name}: a burst comes once and in order, through pages bounded by bytes`, needed, async (t) => {
    const own = await redis(t)
    const bus = await busOf(t, make, own.port, { pageBytes: 10_000 })
    const reader = await busOf(t, make, own.port, { pageBytes: 10_000 })
    const feed = heard()
    await reader.tail(feed.listener)
    const positions = await Promise.all(
      Array.from({ length: 3_000 }, () => bus.append('c', new Uint8Array(100))),
    )
    await feed.until(() => feed.entries.length >= 3_000, 'the burst')
    assert.deepEqual(
      feed.entries.map((entry) => entry.position),
      positions.toSorted((a, b) => a - b),
    )
    for (const [at, entry] of feed.entries.entries()) {
      assert.equal(entry.previous, feed.entries[at - 1]?.position ?? 0)
    }
  })
}

test(
  'a log that something else writes to: the call is rejected and says so, the feed stays down, nothing hangs',
  needed,
  async (t) => {
    const own = await redis(t)
    const vandal = new Redis({ port: own.port, host: '127.0.0.1' })
    t.after(() => vandal.disconnect())
    for (const make of Object.values(CLIENTS)) {
      await vandal.flushall()
      const bus = await busOf(t, make, own.port)
      const feed = heard()
      const tail = await bus.tail(feed.listener)
      await feed.next('up')
      await bus.append('c', bytes('ours'))
      await feed.next('entry')
      await vandal.xadd('{log}:log', '*', 'not', 'ours')
      await feed.next('down')
      await assert.rejects(bus.read(0, 10), { code: 'SLUICE_BAD_OPTION', message: /nothing else writes to/ })
      await vandal.del('{log}:log')
      await vandal.set('{log}:log', 'not even a stream')
      await assert.rejects(bus.append('c', bytes('x')), /WRONGTYPE/)
      await assert.rejects(bus.read(0, 10), /WRONGTYPE/)
      await within(tail.close(), 'the feed to close')
      await bus.close()
    }
  },
)

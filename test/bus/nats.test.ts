import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { jetstream } from '@nats-io/jetstream'
import { headers } from '@nats-io/transport-node'
import { epochOf } from '../../src/bus/epoch.ts'
import { type NatsBusOptions, natsBus } from '../../src/bus/nats.ts'
import { channelOf, tokenOf } from '../../src/bus/subject-token.ts'
import { SluiceError } from '../../src/core/errors.ts'
import { heard } from '../support/bus.ts'
import { within } from '../support/fetch-client.ts'
import { type NatsServer, nats, natsServer } from '../support/nats.ts'
import { need } from '../support/need.ts'
import { busContract } from './contract.ts'

const needed = need('nats-server', natsServer)

busContract(
  'nats',
  async () => {
    // What the fixture opens is closed with the log, not with the test.
    const ends: (() => unknown)[] = []
    const server = await nats({ after: (end) => ends.unshift(end as () => unknown) }, 'max_payload: 4MB')
    const connections: Awaited<ReturnType<typeof server.connect>>[] = []
    return {
      async bus() {
        const connection = await server.connect()
        connections.push(connection)
        return natsBus({ connection, jetstream: jetstream(connection), stream: 'LOG' })
      },
      async trim(keep) {
        const [connection] = connections
        assert.ok(connection)
        const { streams } = await jetstream(connection).jetstreamManager(false)
        await streams.purge('LOG', keep === 0 ? undefined : { keep })
      },
      async hang() {
        await server.freeze()
        return () => server.thaw()
      },
      async usable() {
        for (const connection of connections) await connection.flush()
      },
      async close() {
        for (const end of ends) await end()
      },
    }
  },
  { ...needed },
)

const body = (text: string) => new TextEncoder().encode(text)
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

async function busOf(t: TestContext, server: NatsServer, options: Partial<NatsBusOptions> = {}) {
  const connection = await server.connect()
  const bus = natsBus({ connection, jetstream: jetstream(connection), stream: 'LOG', ...options })
  t.after(() => bus.close())
  return Object.assign(bus, { connection, manager: await jetstream(connection).jetstreamManager(false) })
}

/** All entries after a position, page by page. */
async function readAll(bus: ReturnType<typeof natsBus>, after = 0): Promise<string[]> {
  const found: string[] = []
  for (let last = after; ; ) {
    const { entries, lost } = await bus.read(last, 50)
    assert.equal(lost, undefined)
    if (entries.length === 0) return found
    for (const entry of entries) {
      assert.equal(entry.previous, entry.position - 1)
      found.push(text(entry.body))
      last = entry.position
    }
  }
}

test('channel names survive as tokens of a subject', () => {
  for (const name of ['news', 'a.b *>', '~', '~002e', 'ü/漢字/🙂', '\ud800', 'x'.repeat(256)]) {
    assert.match(tokenOf(name), /^[A-Za-z0-9_~-]+$/)
    assert.equal(channelOf(tokenOf(name)), name)
  }
  assert.equal(tokenOf('orders-7'), 'orders-7')
  assert.equal(channelOf('a=b'), 'a=b')
})

test('an epoch is ten characters and the same for the same identity', () => {
  assert.match(epochOf(''), /^[0-9a-z]{10}$/)
  assert.equal(epochOf('one'), epochOf('one'))
  assert.notEqual(epochOf('one'), epochOf('two'))
})

test('options are checked', async (t) => {
  const connection = { subscribe() {}, status() {} } as never
  const jetstream = { publish() {}, jetstreamManager() {} } as never
  const bad = (options: object, message: RegExp) => {
    assert.throws(
      () => natsBus({ connection, jetstream, stream: 'LOG', ...options }),
      (error) =>
        error instanceof SluiceError && error.code === 'SLUICE_BAD_OPTION' && message.test(error.message),
    )
  }
  bad({ stream: 'a.b' }, /stream is "a\.b"/)
  bad({ connection: 1 }, /connection is 1/)
  bad({ jetstream: {} }, /jetstream is an object/)
  bad({ subjectPrefix: 'a.*' }, /subjectPrefix is "a\.\*"/)
  bad({ timeout: 0 }, /timeout is 0/)
  bad({ create: { maxEntries: 0 } }, /create\.maxEntries is 0/)
  bad({ create: { maxAge: 1_000, duplicateWindow: 2_000 } }, /duplicateWindow is 2000/)
  bad({ creates: false }, /creates/)
  t.diagnostic('every message names the option')
})

test('appends, reads and feeds in one order', needed, async (t) => {
  const server = await nats(t)
  const one = await busOf(t, server)
  const two = await busOf(t, server)
  const feed = heard()
  const tail = await two.tail(feed.listener)
  const up = await feed.next('up')
  assert.equal(up.head, 0)
  assert.match(up.epoch, /^[0-9a-z]{10}$/)
  const positions = await Promise.all(['a', 'b', 'c'].map((it) => one.append(`ch ${it}.>`, body(it))))
  assert.deepEqual(positions.toSorted(), [1, 2, 3])
  for (const at of [1, 2, 3]) {
    const { entry } = await feed.next('entry')
    assert.equal(entry.position, at)
    assert.equal(entry.previous, at - 1)
    assert.equal(entry.channel, `ch ${text(entry.body)}.>`)
  }
  const page = await one.read(1, 10)
  assert.deepEqual(
    page.entries.map((it) => it.position),
    [2, 3],
  )
  assert.equal(page.head, 3)
  assert.equal(page.epoch, up.epoch)
  assert.deepEqual((await one.read(3, 10)).entries, [])
  assert.deepEqual((await one.read(99, 10)).entries, [])
  assert.equal((await one.read(0, 2)).entries.length, 2)
  await tail.close()
})

test('what anybody else sends to the live subjects is no entry', needed, async (t) => {
  const server = await nats(t)
  const bus = await busOf(t, server)
  const feed = heard()
  await bus.tail(feed.listener)
  await feed.next('up')
  for (const sequence of [undefined, '', 'x', '0', '-1', '1.5', '99999999999999999999']) {
    const forged = headers()
    if (sequence !== undefined) forged.set('Nats-Sequence', sequence)
    bus.connection.publish(`sluice.LOG.live.${tokenOf('ch')}`, body('forged'), { headers: forged })
  }
  await bus.append('ch', body('ours'))
  const { entry } = await feed.next('entry')
  assert.equal(text(entry.body), 'ours')
  assert.equal(feed.entries.length, 1)
})

test('one dedupe name is one entry', needed, async (t) => {
  const bus = await busOf(t, await nats(t))
  const first = await bus.append('ch', body('x'), { dedupe: 'once' })
  assert.equal(await bus.append('ch', body('x'), { dedupe: 'once' }), first)
  assert.equal((await bus.read(0, 10)).entries.length, 1)
})

test('pages end at pageBytes, and one large entry is always read', needed, async (t) => {
  const bus = await busOf(t, await nats(t), { pageBytes: 1_000 })
  for (const size of [400, 400, 400, 5_000, 10]) await bus.append('ch', new Uint8Array(size))
  assert.deepEqual(
    (await bus.read(0, 100)).entries.map((it) => it.position),
    [1, 2, 3],
  )
  assert.deepEqual(
    (await bus.read(3, 100)).entries.map((it) => it.position),
    [4],
  )
  assert.deepEqual(
    (await bus.read(4, 100)).entries.map((it) => it.position),
    [5],
  )
})

test('what was trimmed, purged or taken out is told before what follows', needed, async (t) => {
  const bus = await busOf(t, await nats(t), { create: { maxEntries: 5 } })
  for (let n = 1; n <= 8; n++) await bus.append('ch', body(String(n)))
  const trimmed = await bus.read(1, 10)
  assert.equal(trimmed.lost, 'trimmed')
  assert.deepEqual(
    trimmed.entries.map((it) => it.position),
    [4, 5, 6, 7, 8],
  )
  assert.equal((await bus.read(3, 10)).lost, undefined)
  await bus.manager.streams.deleteMessage('LOG', 6)
  const before = await bus.read(3, 10)
  assert.deepEqual(
    before.entries.map((it) => it.position),
    [4, 5],
  )
  assert.equal(before.lost, undefined)
  const behind = await bus.read(5, 10)
  assert.deepEqual(
    behind.entries.map((it) => it.position),
    [7, 8],
  )
  assert.equal(behind.lost, 'trimmed')
  await bus.manager.streams.purge('LOG')
  const purged = await bus.read(5, 10)
  assert.deepEqual(purged, { entries: [], head: 8, epoch: behind.epoch, lost: 'trimmed' })
  assert.equal(await bus.append('ch', body('9')), 9)
  assert.equal((await bus.read(8, 10)).lost, undefined)
})

test(
  'create: false refuses a missing stream, and a stream that cannot be a bus is refused',
  needed,
  async (t) => {
    const server = await nats(t)
    const bus = await busOf(t, server, { create: false })
    const refused = (message: RegExp) => (error: unknown) =>
      error instanceof SluiceError && error.code === 'SLUICE_BAD_OPTION' && message.test(error.message)
    await assert.rejects(bus.append('ch', body('x')), refused(/no stream "LOG"/))
    await assert.rejects(bus.read(0, 1), refused(/no stream "LOG"/))
    await assert.rejects(bus.tail(heard().listener), refused(/no stream "LOG"/))
    await bus.manager.streams.add({ name: 'LOG', subjects: ['sluice.LOG.log.*'], max_msgs_per_subject: 3 })
    await assert.rejects(bus.read(0, 1), refused(/republish must be .*max_msgs_per_subject must be -1/))
    await bus.manager.streams.delete('LOG')
    const republish = { src: 'sluice.LOG.log.*', dest: 'sluice.LOG.live.{{wildcard(1)}}' }
    await bus.manager.streams.add({
      name: 'LOG',
      subjects: ['sluice.LOG.log.*', 'orders.>'],
      republish,
      no_ack: true,
    })
    await assert.rejects(bus.read(0, 1), refused(/: subjects must be .* alone.*; no_ack must be false/))
    await bus.manager.streams.delete('LOG')
    const other = await busOf(t, server)
    await other.append('ch', body('x'))
    assert.equal((await bus.read(0, 1)).head, 1)
  },
)

test('a stream that is made with other bounds is taken as it is', needed, async (t) => {
  const server = await nats(t)
  const one = await busOf(t, server, { create: { maxEntries: 10 } })
  const two = await busOf(t, server, { create: { maxEntries: 20 } })
  const epochs = await Promise.all([one.read(0, 1), two.read(0, 1)])
  assert.equal(epochs[0].epoch, epochs[1].epoch)
})

test(
  'a server killed and started again: the feed comes up, nothing is lost or doubled',
  needed,
  async (t) => {
    const server = await nats(t)
    const bus = await busOf(t, server)
    const other = await busOf(t, server)
    const feed = heard()
    await bus.tail(feed.listener)
    const { epoch } = await feed.next('up')
    const acknowledged: string[] = []
    let going = true
    const publishing = (async () => {
      for (let n = 0; going; n++) {
        // Tried until it is acknowledged, as a hub does.
        for (let stored = false; !stored; ) {
          stored = await other
            .append('ch', body(String(n)), { dedupe: `n${n}`, signal: AbortSignal.timeout(500) })
            .then(() => true)
            .catch(() => false)
          if (!stored) await new Promise((resolve) => setTimeout(resolve, 20))
        }
        acknowledged.push(String(n))
      }
    })()
    await feed.until((heard) => heard.entries.length > 50, 'fifty entries')
    await server.kill()
    await feed.next('down')
    await server.start()
    const again = await feed.next('up')
    assert.equal(again.epoch, epoch)
    assert.ok(again.head >= 50)
    const fed = feed.entries.length
    await feed.until((heard) => heard.entries.length > fed + 50, 'fifty more entries')
    going = false
    await publishing
    assert.deepEqual(await readAll(bus), acknowledged)
  },
)

test(
  'a connection that goes takes no time: what waited is told at once, and so is who comes later',
  needed,
  async (t) => {
    const server = await nats(t)
    const bus = await busOf(t, server)
    await bus.append('ch', body('x'))
    await server.freeze()
    const waiting = [
      ...Array.from({ length: 50 }, () => bus.append('ch', body('y'))),
      bus.read(0, 1),
      bus.read(0, 1),
      bus.tail(heard().listener),
    ]
    const all = Promise.allSettled(waiting)
    await server.kill()
    for (const { status } of await within(all, 'what waited')) assert.equal(status, 'rejected')
    const started = performance.now()
    await assert.rejects(bus.append('ch', body('z')), /connection to NATS has been lost/)
    await assert.rejects(bus.read(0, 1), /connection to NATS has been lost/)
    assert.ok(performance.now() - started < 1_000)
    await server.start()
    for (;;) {
      const stored = await bus.append('ch', body('again')).catch(() => undefined)
      if (stored !== undefined) break
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    assert.equal(text((await bus.read(1, 9)).entries[0]?.body ?? new Uint8Array()), 'again')
  },
)

test('a server that stands still for two seconds', needed, async (t) => {
  const server = await nats(t)
  const bus = await busOf(t, server)
  const feed = heard()
  await bus.tail(feed.listener)
  await feed.next('up')
  await bus.append('ch', body('before'))
  await server.freeze()
  t.after(() => server.thaw())
  const started = performance.now()
  await assert.rejects(
    bus.append('ch', body('given up'), { dedupe: 'g', signal: AbortSignal.timeout(200) }),
    {
      name: 'TimeoutError',
    },
  )
  await assert.rejects(bus.read(0, 1, { signal: AbortSignal.timeout(200) }), { name: 'TimeoutError' })
  assert.ok(performance.now() - started < 1_500)
  const waiting = bus.append('ch', body('waited'))
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  server.thaw()
  await within(waiting, 'the append that waited')
  await bus.append('ch', body('given up'), { dedupe: 'g' })
  await feed.until((heard) => heard.entries.length === 3, 'three entries')
  assert.deepEqual(await readAll(bus), ['before', 'given up', 'waited'])
  assert.equal(feed.downs, 0)
})

test('a server that comes back with an empty store is a new epoch', needed, async (t) => {
  const server = await nats(t)
  const bus = await busOf(t, server)
  const feed = heard()
  await bus.tail(feed.listener)
  const { epoch } = await feed.next('up')
  for (let n = 0; n < 5; n++) await bus.append('ch', body(String(n)))
  await server.kill()
  server.forget()
  await feed.next('down')
  await server.start()
  const again = await feed.next('up')
  assert.notEqual(again.epoch, epoch)
  assert.equal(again.head, 0)
  assert.equal(await bus.append('ch', body('new')), 1)
  assert.equal(
    (await feed.next('entry', (it) => it.entry.position === 1 && text(it.entry.body) === 'new')).entry
      .previous,
    0,
  )
  assert.equal((await bus.read(0, 9)).epoch, again.epoch)
})

test('a stream made anew under a live connection is a new epoch', needed, async (t) => {
  const bus = await busOf(t, await nats(t))
  const feed = heard()
  await bus.tail(feed.listener)
  const { epoch } = await feed.next('up')
  await bus.append('ch', body('old 1'))
  await bus.append('ch', body('old 2'))
  await feed.until((heard) => heard.entries.length === 2, 'two entries')
  await bus.manager.streams.delete('LOG')
  assert.equal(await bus.append('ch', body('new 1')), 1) // it finds nobody, makes the stream and tries again
  await feed.next('down')
  const again = await feed.next('up')
  assert.notEqual(again.epoch, epoch)
  assert.equal(again.head, 1)
})

test('a stream that lost acknowledged entries begins a new life that all see', needed, async (t) => {
  const server = await nats(t)
  const bus = await busOf(t, server)
  const feed = heard()
  await bus.tail(feed.listener)
  const { epoch } = await feed.next('up')
  await bus.append('ch', body('1'))
  await feed.next('entry')
  await server.kill()
  const store = server.keep()
  await server.start()
  await feed.next('up')
  await bus.append('ch', body('2'))
  await server.kill()
  store.restore()
  await server.start()
  const again = await feed.next('up', (it) => it.head === 1)
  assert.notEqual(again.epoch, epoch)
  const other = await busOf(t, server)
  assert.equal((await other.read(0, 1)).epoch, again.epoch)
  assert.match((await bus.manager.streams.info('LOG')).config.description ?? '', /\[sluice life [0-9a-z]+\]/)
})

test('who may not subscribe hears of it', needed, async (t) => {
  const server = await nats(
    t,
    `authorization { users = [ { user: u, password: p, permissions: { subscribe: { deny: "sluice.LOG.live.*" } } } ] }`,
  )
  const connection = await server.connect({ user: 'u', pass: 'p' })
  const bus = natsBus({ connection, jetstream: jetstream(connection), stream: 'LOG' })
  t.after(() => bus.close())
  await assert.rejects(bus.tail(heard().listener), /[Pp]ermissions/)
})

test('append and read with an aborted signal, and a closed bus, end at once', needed, async (t) => {
  const bus = await busOf(t, await nats(t))
  const reason = new Error('no longer wanted')
  const signal = AbortSignal.abort(reason)
  await assert.rejects(bus.append('ch', body('x'), { signal }), reason)
  await assert.rejects(bus.read(0, 1, { signal }), reason)
  const feed = heard()
  await bus.tail(feed.listener)
  await feed.next('up')
  await bus.close()
  await bus.close()
  await assert.rejects(bus.append('ch', body('x')), { code: 'SLUICE_HUB_CLOSED' })
  await assert.rejects(bus.read(0, 1), { code: 'SLUICE_HUB_CLOSED' })
  await assert.rejects(bus.tail(feed.listener), { code: 'SLUICE_HUB_CLOSED' })
  assert.equal(bus.connection.isClosed(), false)
  assert.equal(feed.entries.length, 0)
})

test('a client that gives up for ever is told as down', needed, async (t) => {
  const server = await nats(t)
  const connection = await server.connect({ reconnect: false })
  const bus = natsBus({ connection, jetstream: jetstream(connection), stream: 'LOG' })
  t.after(() => bus.close())
  const feed = heard()
  await bus.tail(feed.listener)
  await feed.next('up')
  await server.kill()
  await feed.next('down')
  await within(connection.closed(), 'the client to close')
  await assert.rejects(bus.append('ch', body('x')))
})

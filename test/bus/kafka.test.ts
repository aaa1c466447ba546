import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type KafkaBusOptions, kafkaBus, kafkajsPort } from '../../src/bus/kafka.ts'
import { Repeats } from '../../src/bus/kafka-repeats.ts'
import type { Bus } from '../../src/core/bus.ts'
import { SluiceError } from '../../src/core/errors.ts'
import { heard } from '../support/bus.ts'
import { within } from '../support/fetch-client.ts'
import { type KafkaServer, kafka, kcat } from '../support/kafka.ts'
import { need } from '../support/need.ts'

const needed = need('kcat', kcat)
const body = (text: string) => new TextEncoder().encode(text)
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

function busOf(t: TestContext, server: KafkaServer, options: Partial<KafkaBusOptions> = {}): Bus {
  const bus = kafkaBus({ port: kafkajsPort({ kafka: server.client(), topic: 'log' }), ...options })
  t.after(() => bus.close())
  return bus
}

test('a name is a repeat within reach of its last record, and not beyond', () => {
  const repeats = new Repeats(3)
  assert.deepEqual(
    ['a', 'b', 'a', undefined, undefined, 'a', 'b', undefined, undefined, undefined, 'a'].map(
      (name, offset) => repeats.isRepeat(offset, name),
    ),
    [false, false, true, false, false, true, false, false, false, false, false],
  )
})

test('options are checked', () => {
  const bad = (call: () => unknown, message: RegExp) => {
    assert.throws(
      call,
      (error) =>
        error instanceof SluiceError && error.code === 'SLUICE_BAD_OPTION' && message.test(error.message),
    )
  }
  const kafka = { consumer() {}, producer() {} } as never
  const port = kafkajsPort({ kafka, topic: 'log' })
  bad(() => kafkajsPort({ kafka: {} as never, topic: 'log' }), /kafka is an object/)
  bad(() => kafkajsPort({ kafka, topic: 'a b' }), /topic is "a b"/)
  bad(() => kafkajsPort({ kafka, topic: 'log', partition: -1 }), /partition is -1/)
  bad(() => kafkaBus({ port: 1 as never }), /port is 1/)
  bad(() => kafkaBus({ port, epoch: 5 as never }), /epoch is 5/)
  bad(() => kafkaBus({ port, dedupeReach: -1 }), /dedupeReach is -1/)
  bad(() => kafkaBus({ port, topic: 'log' } as never), /topic/)
})

test('appends, reads and feeds in one order; repeats are passed over by all', needed, async (t) => {
  const server = await kafka(t)
  const one = busOf(t, server)
  const two = busOf(t, server)
  const feed = heard()
  await two.tail(feed.listener)
  const up = await feed.next('up')
  assert.equal(up.head, 0)
  assert.match(up.epoch, /^[0-9a-z]{10}$/)
  for (const it of ['a', 'b', 'c']) await one.append(`ch ${it}.>\ud800`, body(it), { dedupe: `n${it}` })
  for (const at of [1, 2, 3]) {
    const { entry } = await feed.next('entry')
    assert.equal(entry.position, at)
    assert.equal(entry.previous, at - 1)
    assert.equal(entry.channel, `ch ${text(entry.body)}.>\ud800`)
  }
  // The same bus remembers; another one stores a repeat, which nobody is shown.
  assert.equal(await one.append('ch', body('b'), { dedupe: 'nb' }), 2)
  await two.append('ch', body('b'), { dedupe: 'nb' })
  assert.equal(await one.append('ch', body('d')), 5)
  const { entry } = await feed.next('entry')
  assert.equal(entry.position, 5)
  assert.equal(entry.previous, 3)
  const page = await one.read(0, 10)
  assert.deepEqual(
    page.entries.map((it) => [it.position, it.previous, text(it.body)]),
    [
      [1, 0, 'a'],
      [2, 1, 'b'],
      [3, 2, 'c'],
      [5, 3, 'd'],
    ],
  )
  assert.equal(page.head, 5)
  assert.equal(page.epoch, up.epoch)
  // From the midst, from the end, from beyond it, and page by page.
  const from = async (after: number, limit: number) =>
    (await two.read(after, limit)).entries.map((it) => it.position)
  assert.deepEqual(await from(3, 10), [5])
  assert.deepEqual(await from(5, 10), [])
  assert.deepEqual(await from(99, 10), [])
  assert.deepEqual(await from(0, 2), [1, 2])
  assert.deepEqual(await from(2, 2), [3, 5])
  assert.deepEqual(await from(1, 1), [2])
  assert.deepEqual(await Promise.all([from(0, 1), from(2, 1), from(1, 9)]), [[1], [3], [2, 3, 5]])
  // Who begins in the midst comes to the same.
  const late = heard()
  const tail = await busOf(t, server).tail(late.listener)
  assert.equal((await late.next('up')).head, 5)
  await two.append('ch', body('c'), { dedupe: 'nc' })
  await two.append('ch', body('e'))
  assert.equal((await late.next('entry')).entry.position, 7)
  assert.equal((await feed.next('entry')).entry.position, 7)
  await tail.close()
})

test('pages end at pageBytes, and what was trimmed is told', needed, async (t) => {
  const bus = busOf(t, await kafka(t), { pageBytes: 900_000 })
  for (let n = 0; n < 8; n++) await bus.append('ch', new Uint8Array(400_000))
  assert.deepEqual(
    (await bus.read(0, 100)).entries.map((it) => it.position),
    [1, 2, 3],
  )
  assert.deepEqual(
    (await bus.read(3, 100)).entries.map((it) => it.position),
    [4, 5, 6],
  )
  // The mock cluster keeps 5 MiB.
  for (let n = 0; n < 8; n++) await bus.append('ch', new Uint8Array(400_000))
  const page = await bus.read(1, 100)
  assert.equal(page.lost, 'trimmed')
  const [first] = page.entries
  assert.ok(first && first.position > 2 && first.previous === first.position - 1)
  assert.equal((await bus.read(first.position - 1, 1)).lost, undefined)
})

test('an append given up and tried again is one entry', needed, async (t) => {
  const server = await kafka(t)
  const bus = busOf(t, server)
  const feed = heard()
  await bus.tail(feed.listener)
  await feed.next('up')
  await bus.append('ch', body('1'))
  await server.freeze()
  t.after(() => server.thaw())
  const given = bus.append('ch', body('2'), { dedupe: 'two', signal: AbortSignal.timeout(200) })
  await assert.rejects(given, { name: 'TimeoutError' })
  await assert.rejects(bus.read(0, 1, { signal: AbortSignal.timeout(200) }), { name: 'TimeoutError' })
  server.thaw()
  assert.equal(await bus.append('ch', body('2'), { dedupe: 'two' }), 2)
  await bus.append('ch', body('3'))
  await feed.until((heard) => heard.entries.length === 3, 'three entries')
  assert.deepEqual(
    feed.entries.map((it) => text(it.body)),
    ['1', '2', '3'],
  )
  assert.deepEqual(
    (await bus.read(0, 9)).entries.map((it) => text(it.body)),
    ['1', '2', '3'],
  )
  assert.equal(feed.downs, 0)
})

for (const epoch of [undefined, 'named']) {
  test(`a broker gone, and an empty one in its place (epoch ${epoch})`, needed, async (t) => {
    const server = await kafka(t)
    const bus = busOf(t, server, { timeout: 8_000, ...(epoch ? { epoch } : {}) })
    const feed = heard()
    await bus.tail(feed.listener)
    const before = await feed.next('up')
    for (const it of ['1', '2', '3']) await bus.append('ch', body(it))
    await feed.until((heard) => heard.entries.length === 3, 'three entries')
    await server.kill()
    // kafkajs takes its time over the farewell to a broker that has gone.
    await feed.next('down').catch(() => feed.until((heard) => heard.downs > 0, 'the tail to tell "down"'))
    await assert.rejects(bus.append('ch', body('x'), { signal: AbortSignal.timeout(1_000) }))
    await assert.rejects(bus.read(0, 1, { signal: AbortSignal.timeout(1_000) }))
    await server.replace()
    const again = await feed.next('up')
    assert.notEqual(again.epoch, before.epoch)
    assert.equal(again.head, 0)
    assert.equal(await bus.append('ch', body('new')), 1)
    const { entry } = await feed.next('entry', (it) => text(it.entry.body) === 'new')
    assert.deepEqual([entry.position, entry.previous], [1, 0])
    const page = await bus.read(0, 9)
    assert.deepEqual(
      page.entries.map((it) => text(it.body)),
      ['new'],
    )
    assert.equal(page.epoch, again.epoch)
  })
}

test('another cluster behind the same name, that holds more already, is another epoch', needed, async (t) => {
  const server = await kafka(t)
  const bus = busOf(t, server, { timeout: 8_000 })
  const feed = heard()
  await bus.tail(feed.listener)
  const before = await feed.next('up')
  await bus.append('ch', body('old'))
  await feed.next('entry')
  await server.kill()
  await feed.next('down').catch(() => feed.until((heard) => heard.downs > 0, 'the tail to tell "down"'))
  await server.replace()
  const other = busOf(t, server, { timeout: 8_000 })
  for (const it of ['a', 'b', 'c']) await other.append('ch', body(it))
  const again = await feed.next('up', ({ epoch }) => epoch !== before.epoch)
  const page = await bus.read(0, 9)
  assert.equal(page.epoch, again.epoch)
  assert.equal((await other.read(0, 9)).epoch, again.epoch, 'all nodes agree')
  assert.deepEqual(
    page.entries.map((it) => text(it.body)),
    ['a', 'b', 'c'],
  )
})

test('a partition that does not exist is refused', needed, async (t) => {
  const server = await kafka(t)
  const bus = kafkaBus({ port: kafkajsPort({ kafka: server.client(), topic: 'log', partition: 77 }) })
  t.after(() => bus.close())
  await assert.rejects(bus.read(0, 1), { code: 'SLUICE_BAD_OPTION' })
  await assert.rejects(bus.tail(heard().listener), { code: 'SLUICE_BAD_OPTION' })
})

test('an aborted signal and a closed bus end at once', needed, async (t) => {
  const bus = busOf(t, await kafka(t))
  const reason = new Error('no longer wanted')
  const signal = AbortSignal.abort(reason)
  await assert.rejects(bus.append('ch', body('x'), { signal }), reason)
  await assert.rejects(bus.read(0, 1, { signal }), reason)
  const feed = heard()
  await bus.tail(feed.listener)
  await feed.next('up')
  await within(bus.close(), 'the bus to close')
  await bus.close()
  await assert.rejects(bus.append('ch', body('x')), { code: 'SLUICE_HUB_CLOSED' })
  await assert.rejects(bus.read(0, 1), { code: 'SLUICE_HUB_CLOSED' })
  await assert.rejects(bus.tail(feed.listener), { code: 'SLUICE_HUB_CLOSED' })
})

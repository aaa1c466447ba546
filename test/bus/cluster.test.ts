// The bus of one machine: the contract over its real socket, and real processes and threads that are killed and held up.

import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { type BusServer, clusterBus, serveBus } from '../../src/bus/cluster.ts'
import type { Bus } from '../../src/core/bus.ts'
import { SluiceError } from '../../src/core/errors.ts'
import { heard } from '../support/bus.ts'
import { within } from '../support/fetch-client.ts'
import { collectGarbage } from '../support/gc.ts'
import { seeded } from '../support/seeded.ts'
import { eventually } from '../support/server.ts'
import { busContract, readAll } from './contract.ts'

busContract('cluster', async () => {
  const server = await serveBus()
  return { bus: async () => clusterBus({ path: server.path }), close: () => server.close() }
})

const PROGRAM = join(import.meta.dirname, '../support/programs/bus-worker.ts')
const encoder = new TextEncoder()
const decoder = new TextDecoder()

async function sequencer(t: TestContext, options = {}): Promise<{ server: BusServer; bus: Bus }> {
  const server = await serveBus(options)
  const bus = clusterBus({ path: server.path })
  t.after(async () => {
    await bus.close()
    await server.close()
  })
  return { server, bus }
}

interface Reported {
  entries: string[]
}

/** A process that appends numbered entries and, asked for it, says what it has heard. */
class Far {
  readonly child: ChildProcess

  constructor(t: TestContext, name: string) {
    this.child = fork(PROGRAM, [name], { execArgv: ['--import', 'tsx'] })
    t.after(() => void this.child.kill('SIGKILL'))
  }

  tell(message: object): void {
    this.child.send(message)
  }

  hear<T>(): Promise<T> {
    return within(
      new Promise((resolve) => this.child.once('message', (message) => resolve(message as T))),
      'a report',
    )
  }
}

test('processes that append at once all see one order, without loss or repeat', {
  timeout: 60_000,
}, async (t) => {
  const { bus } = await sequencer(t)
  const each = 2_000
  const feed = heard()
  await bus.tail(feed.listener)
  const all = ['a', 'b', 'c', 'd'].map((name) => new Far(t, name))
  await Promise.all(all.map((one) => one.hear()))
  for (const one of all) one.tell({ do: 'append', count: each })
  await feed.until(() => feed.entries.length >= all.length * each, 'all entries')
  const order = feed.entries.map(({ body }) => decoder.decode(body))
  assert.equal(new Set(order).size, all.length * each)
  for (const name of 'abcd') {
    const own = order.filter((text) => text.startsWith(name))
    assert.deepEqual(
      own,
      Array.from({ length: each }, (_, n) => `${name}${n}`),
      'each in its own order',
    )
  }
  for (const one of all) {
    one.tell({ do: 'report', count: all.length * each })
    assert.deepEqual((await one.hear<Reported>()).entries, order)
  }
})

test('processes are killed at random; those that stay and those that come see one whole log', {
  timeout: 60_000,
}, async (t) => {
  const { server, bus } = await sequencer(t)
  const random = seeded(11)
  const feed = heard()
  await bus.tail(feed.listener)
  for (let round = 0; round < 4; round += 1) {
    const far = new Far(t, `r${round}-`)
    await far.hear()
    far.tell({ do: 'append', count: 5_000 })
    await feed.until(() => feed.entries.length >= (round + 1) * 100, 'some entries')
    await new Promise((resolve) => setTimeout(resolve, random() * 50))
    far.child.kill('SIGKILL')
    await eventually(() => server.clients === 1, 'the sequencer to forget it')
  }
  const { head } = await bus.read(Number.MAX_SAFE_INTEGER, 1)
  await feed.until(() => feed.entries.at(-1)?.position === head, 'the end')
  assert.deepEqual(
    feed.entries.map(({ position }) => position),
    Array.from({ length: head }, (_, n) => n + 1),
  )
  const late = clusterBus({ path: server.path })
  t.after(() => late.close())
  assert.equal((await readAll(late)).length, head)
})

test('a process that is held up costs the sequencer its window, and reads the rest afterwards', {
  timeout: 60_000,
}, async (t) => {
  const { bus } = await sequencer(t, { maxBytes: 500_000_000 })
  const slow = new Far(t, 's')
  await slow.hear()
  await collectGarbage()
  const before = process.memoryUsage().arrayBuffers
  slow.tell({ do: 'block', ms: 2_500 })
  const body = new Uint8Array(10_000)
  const count = 10_000
  for (let n = 0; n < count; n += 100) {
    await Promise.all(Array.from({ length: 100 }, () => bus.append('c', body)))
  }
  await collectGarbage()
  // The log holds them all, once: 100 MB. Without a window as much again would wait for the slow one.
  const grown = process.memoryUsage().arrayBuffers - before
  assert.ok(grown < 160_000_000, `${grown} bytes`)
  slow.tell({ do: 'report', count })
  assert.equal((await slow.hear<Reported>()).entries.length, count)
})

test('when the sequencer goes, publishes reject in bounded time, the feed is down, and another is a new epoch', async (t) => {
  const server = await serveBus()
  const bus = clusterBus({ path: server.path, timeout: 1_000 })
  t.after(() => bus.close())
  const feed = heard()
  await bus.tail(feed.listener)
  const { epoch } = await feed.next('up')
  await bus.append('c', encoder.encode('1'))
  await server.close()
  await feed.next('down')
  await assert.rejects(within(bus.append('c', encoder.encode('2')), 'a rejection'), {
    code: 'SLUICE_BUS_UNAVAILABLE',
  })
  await assert.rejects(within(bus.read(0, 1), 'a rejection'), { code: 'SLUICE_BUS_UNAVAILABLE' })
  assert.notEqual(epoch, '')
})

test('worker threads share it as well', async (t) => {
  const { bus } = await sequencer(t)
  const feed = heard()
  await bus.tail(feed.listener)
  const worker = new Worker(
    `import('tsx/esm/api').then(({ tsImport }) => tsImport(${JSON.stringify(
      join(import.meta.dirname, '../../src/bus/cluster.ts'),
    )}, ${JSON.stringify(import.meta.url)})).then(({ clusterBus }) => clusterBus().append('c', new TextEncoder().encode('from a thread')))`,
    { eval: true },
  )
  t.after(() => worker.terminate())
  await feed.until(() => feed.entries.length === 1, 'the entry')
  assert.equal(decoder.decode(feed.entries[0]?.body), 'from a thread')
})

test('two feeds that begin at once hear each entry once', async (t) => {
  const { bus } = await sequencer(t)
  const feeds = [heard(), heard()]
  const tails = await Promise.all(feeds.map(({ listener }) => bus.tail(listener)))
  for (let n = 1; n <= 10; n += 1) await bus.append('c', encoder.encode(String(n)))
  for (const feed of feeds) {
    await feed.until(() => feed.entries.some(({ position }) => position === 10), 'the last entry')
    assert.deepEqual(
      feed.entries.map(({ position }) => position),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    )
  }
  for (const tail of tails) await tail.close()
})

test('a bus that is closed while it connects leaves no connection', async (t) => {
  const { server } = await sequencer(t)
  const bus = clusterBus({ path: server.path })
  const tail = bus.tail(heard().listener).catch((error: unknown) => error)
  await bus.close()
  assert.ok((await tail) instanceof Error)
  const other = clusterBus({ path: server.path })
  t.after(() => other.close())
  await other.append('c', encoder.encode('x'))
  await eventually(() => server.clients === 1, 'only the other')
})

test('nonsense on the socket ends that connection and no other', async (t) => {
  const { server, bus } = await sequencer(t)
  await bus.append('c', encoder.encode('1'))
  const frames = [
    Buffer.from('ffffffffffffffff', 'hex'),
    Buffer.from('0000000200000000', 'hex'),
    Buffer.concat([Buffer.from('0000000200000000', 'hex'), Buffer.from('{}')]),
    Buffer.concat([Buffer.from('0000000a00000000', 'hex'), Buffer.from('{"k":"up"}')]),
    Buffer.concat([Buffer.from('0000000300000000', 'hex'), Buffer.from('nul')]),
  ]
  for (const frame of frames) {
    const socket = connect(server.path)
    socket.on('error', () => {})
    socket.write(frame)
    if (frame.length === 8 && frame[0] === 0) socket.end()
    await within(new Promise((resolve) => socket.once('close', resolve)), 'the end of the connection')
  }
  assert.equal(await bus.append('c', encoder.encode('2')), 2)
})

test('without a sequencer it is refused, with the cure', () => {
  assert.equal(process.env.SLUICE_BUS, undefined)
  assert.throws(
    () => clusterBus(),
    (error: unknown) => error instanceof SluiceError && /serveBus\(\)/.test(error.message),
  )
  assert.throws(() => clusterBus({ path: '/x', timeout: 0 }), { code: 'SLUICE_BAD_OPTION' })
})

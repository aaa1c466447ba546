// A hub's end of a bus by itself, against a bus that does what an engine may do at the worst moment.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Bus, Entry, Page, TailListener } from '../../src/core/bus.ts'
import { Feed, type FeedHost } from '../../src/core/feed.ts'
import { FakeClock } from '../support/fake-clock.ts'

const entry = (position: number, previous: number | undefined = position - 1): Entry => ({
  position,
  previous,
  channel: 'x',
  body: new Uint8Array(1),
})

/** A bus whose log is a list, and whose calls wait until they are let go. */
class SlowBus implements Bus {
  readonly name = 'slow'
  epoch = 'one'
  held: Entry[] = []
  head = 0
  trimmed = 0
  listener: TailListener | undefined
  closedTails = 0
  failsTail = false
  reads = 0
  #gates: (() => void)[] | undefined

  /** From now on calls wait for `go`. */
  stop(): void {
    this.#gates ??= []
  }

  /** Lets those go that wait, and later ones pass. */
  go(): void {
    const gates = this.#gates ?? []
    this.#gates = undefined
    for (const open of gates) open()
  }

  async append(): Promise<number> {
    await this.#gate()
    this.head += 1
    return this.head
  }

  async read(after: number, limit: number): Promise<Page> {
    this.reads += 1
    await this.#gate()
    const entries = this.held.filter(({ position }) => position > after).slice(0, limit)
    const lost = after < this.trimmed ? { lost: 'trimmed' as const } : {}
    return { entries, head: this.head, epoch: this.epoch, ...lost }
  }

  async tail(listener: TailListener): Promise<{ close(): Promise<void> }> {
    await this.#gate()
    if (this.failsTail) throw new Error('no tail')
    this.listener = listener
    listener.up({ epoch: this.epoch, head: this.head })
    return {
      close: async () => {
        this.closedTails += 1
        throw new Error('closing fails as well')
      },
    }
  }

  async close(): Promise<void> {}

  #gate(): Promise<void> | undefined {
    const gates = this.#gates
    return gates && new Promise((resolve) => gates.push(resolve))
  }
}

function feedOf(bus: Bus, backlogged: (position: number) => boolean = () => false) {
  const clock = new FakeClock()
  const told: string[] = []
  const errors: unknown[] = []
  const host: FeedHost = {
    clock,
    random: () => 0.5,
    feedStarted: (epoch, head) => told.push(`started ${epoch} ${head}`),
    feedEntry: ({ position }) => {
      told.push(String(position))
      return backlogged(position)
    },
    feedWalked: async () => {},
    feedLost: (through) => told.push(`lost ${through}`),
    feedRestarted: (epoch, head) => told.push(`restarted ${epoch} ${head}`),
    feedChanged: (up) => told.push(up ? 'up' : 'down'),
    report: (error) => errors.push(error),
  }
  const feed = new Feed(bus, host, 1_000)
  return { feed, clock, told, errors }
}

async function rest(): Promise<void> {
  for (let round = 0; round < 20; round += 1) await new Promise((resolve) => setImmediate(resolve))
}

test('what comes while the feed reads what it missed is taken afterwards, with its own holes read as well', async () => {
  const bus = new SlowBus()
  // Readers have to be walked after the sixth: what follows waits for that, in the buffer.
  const { feed, told } = feedOf(bus, (position) => position === 6)
  feed.start()
  await rest()
  bus.held = [1, 2, 3].map((n) => entry(n))
  bus.head = 3
  bus.stop()
  bus.listener?.entry(entry(3)) // 1 and 2 are missing: they are read, which takes a while
  for (const position of [4, 5]) bus.listener?.entry(entry(position))
  bus.go()
  await rest()
  bus.stop()
  bus.listener?.entry(entry(7)) // and here 6
  bus.listener?.entry(entry(7)) // twice
  bus.listener?.entry(entry(9)) // and 8 is missing in what waits
  bus.held = [6, 7, 8, 9].map((n) => entry(n))
  bus.head = 9
  bus.go()
  await rest()
  assert.deepEqual(told, ['started one 0', 'up', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
  // An engine that cannot tell what came before: what it says is taken as it is.
  bus.listener?.entry({ ...entry(20), previous: undefined })
  bus.listener?.entry(entry(4))
  assert.equal(told.at(-1), '20')
  await feed.close(1_000)
})

test('a feed that is ahead of what can be read waits, longer each time, and walks its readers between', async () => {
  const bus = new SlowBus()
  const { feed, clock, told } = feedOf(bus, (position) => position === 2)
  feed.start()
  await rest()
  bus.stop()
  bus.listener?.up({ epoch: 'one', head: 0 }) // the feed was broken: it is read after
  for (const position of [1, 2, 3, 5]) bus.listener?.entry(entry(position))
  bus.go()
  await rest()
  assert.deepEqual(told, ['started one 0', 'up', '1', '2', '3'], 'five waits for four')
  const asked = bus.reads
  for (let second = 0; second < 60; second += 1) {
    clock.advance(1_000)
    await rest()
  }
  assert.ok(bus.reads - asked < 20, `${bus.reads - asked} reads in a minute`)
  bus.held = [4, 5].map((n) => entry(n))
  clock.advance(10_000)
  await rest()
  assert.deepEqual(told.slice(-2), ['4', '5'])
  await feed.close(1_000)
})

test('a log that was emptied, trimmed over and over, or begun anew while it is read', async () => {
  const bus = new SlowBus()
  const { feed, clock, told } = feedOf(bus)
  feed.start()
  await rest()
  bus.head = 7
  bus.trimmed = 7
  clock.advance(10_000) // nothing was heard: the head is looked at
  await rest()
  assert.equal(told.at(-1), 'lost 7')
  // The engine says so again of what was told already.
  bus.trimmed = 8
  bus.held = [entry(8)]
  bus.head = 8
  bus.listener?.entry(entry(8))
  await rest()
  clock.advance(10_000)
  await rest()
  assert.equal(told.at(-1), '8')
  bus.epoch = 'two'
  bus.head = 3
  bus.held = []
  clock.advance(10_000)
  await rest()
  assert.equal(told.at(-1), 'restarted two 3')
  bus.listener?.entry(entry(4))
  assert.equal(told.at(-1), '4')
  await feed.close(1_000)
})

test('what was asked for in one life is not taken for the next', async () => {
  const bus = new SlowBus()
  const { feed, told } = feedOf(bus)
  feed.start()
  await rest()
  for (let n = 1; n <= 5; n += 1) bus.listener?.entry(entry(n))
  bus.stop()
  bus.listener?.entry(entry(7)) // six is missing: what follows five is read
  bus.epoch = 'two'
  bus.held = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => entry(n))
  bus.head = 8
  bus.listener?.up({ epoch: 'two', head: 2 })
  bus.go()
  await rest()
  assert.deepEqual(told.slice(-7), ['restarted two 2', '3', '4', '5', '6', '7', '8'])
  await feed.close(1_000)
})

test('more than 16 MB on its way to an engine that hangs is refused at once', async () => {
  const bus = new SlowBus()
  const { feed, clock } = feedOf(bus)
  feed.start()
  await rest()
  bus.stop()
  const big = new Uint8Array(1_048_576)
  const settled = Promise.allSettled(Array.from({ length: 17 }, () => feed.append('x', big)))
  assert.equal(feed.stats.appending, 16)
  assert.equal(feed.stats.refused, 1)
  await assert.rejects(feed.append('x', big), /too much to store already/)
  clock.advance(1_000)
  const results = await settled
  assert.deepEqual(new Set(results.map(({ status }) => status)), new Set(['rejected']))
  assert.equal(feed.stats.appending, 0)
  bus.go()
  await feed.close(1_000)
})

test('a bus that answers, tells or fails after the feed was closed changes nothing', async () => {
  const bus = new SlowBus()
  const { feed, clock, told } = feedOf(bus)
  feed.start()
  await rest()
  bus.stop()
  const read = feed.read(0)
  read.catch(() => {})
  const publish = feed.append('x', new Uint8Array(1))
  const closing = feed.close(500)
  clock.advance(500)
  await closing
  await assert.rejects(read, /closed/)
  await assert.rejects(publish, { code: 'SLUICE_BUS_UNAVAILABLE' })
  const before = told.length
  bus.listener?.entry(entry(1))
  bus.listener?.down(new Error('late'))
  bus.listener?.up({ epoch: 'late', head: 1 })
  bus.go()
  await rest()
  assert.equal(told.length, before)
  assert.equal(clock.timers, 0)
  assert.equal(bus.closedTails, 1)

  for (const failsTail of [false, true]) {
    const late = new SlowBus()
    late.failsTail = failsTail
    late.stop()
    const closed = feedOf(late)
    closed.feed.start()
    await closed.feed.close(1_000)
    late.go()
    await rest()
    assert.equal(late.closedTails, failsTail ? 0 : 1, 'a tail that came too late is closed')
    assert.equal(closed.clock.timers, 0)
  }
})

test('closing waits for publishes under way, and for no engine that never says goodbye', async () => {
  const bus = new SlowBus()
  const tail = bus.tail.bind(bus)
  bus.tail = async (listener) => {
    await tail(listener)
    return { close: () => new Promise(() => {}) }
  }
  const { feed, clock } = feedOf(bus)
  feed.start()
  await rest()
  bus.stop()
  const publish = feed.append('x', new Uint8Array(1))
  await rest()
  const closing = feed.close(500)
  bus.go()
  assert.equal(await publish, 1)
  await rest()
  clock.advance(2_000)
  await closing
  assert.equal(clock.timers, 0)

  const never = new SlowBus()
  never.stop()
  const unreached = feedOf(never)
  unreached.feed.start()
  const ready = unreached.feed.ready()
  await unreached.feed.close(0)
  await assert.rejects(ready, { code: 'SLUICE_HUB_CLOSED' })
})

test('before the first contact publishes are bounded by bytes, and stored in the order of the calls', async () => {
  const bus = new SlowBus()
  bus.stop()
  const { feed } = feedOf(bus)
  feed.start()
  const big = new Uint8Array(1_048_575)
  const all = Array.from({ length: 17 }, () => feed.append('x', big))
  await assert.rejects(all[16] as Promise<number>, /too much to store already/)
  let later: Promise<number> | undefined
  void feed.ready().then(() => {
    later = feed.append('x', new Uint8Array(1))
  })
  bus.go()
  assert.deepEqual(
    await Promise.all(all.slice(0, 16)),
    Array.from({ length: 16 }, (_, n) => n + 1),
  )
  assert.equal(await later, 17)
  await feed.close(0)
})

test('reading ends where the log ended when it was asked, however much comes meanwhile', async () => {
  const bus = new SlowBus()
  const { feed, told } = feedOf(bus)
  feed.start()
  await rest()
  // Between any two answers another entry is stored, and its feed is held up.
  const read = bus.read.bind(bus)
  bus.read = async (after, limit) => {
    const page = await read(after, limit)
    bus.head += 1
    bus.held.push(entry(bus.head))
    return page
  }
  bus.head = 1
  bus.held = [entry(1)]
  await feed.catchUp()
  assert.equal(told.at(-1), '1')
  assert.equal(bus.reads, 1)
  await feed.close(0)
})

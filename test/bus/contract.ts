// What every bus must do, whatever engine is behind it: one suite that each adapter passes. It is told how to open a
// fresh log, and knows nothing else about the engine.

import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { Bus, Entry, Page } from '../../src/core/bus.ts'
import { heard } from '../support/bus.ts'
import { within } from '../support/fetch-client.ts'

/** A fresh log of an engine, empty, that nobody else writes to. */
export interface OpenLog {
  /** Another participant on the log, as another process would be: with a client of its own. */
  bus(): Promise<Bus>
  /** Makes the engine forget its oldest entries, about so many of the newest excepted; 0: all of them. Left out: such an engine never does. */
  trim?(keep: number): Promise<void>
  /** Makes the engine silent, its connections open, until the returned function is called. Left out: it cannot be. */
  hang?(): Promise<() => void | Promise<void>>
  /** Rejects when one of the clients that the application has made for its buses no longer works. */
  usable?(): Promise<void>
  /** Takes away all that it has made; the buses have been closed before. */
  close(): Promise<void>
}

export interface ContractOptions {
  /** Why the suite cannot run here; `...need('redis-server', found)` gives it. */
  readonly skip?: string
  /** The bodies of the largest entries that the engine takes, in bytes. Default 1 MiB. */
  readonly largest?: number
  /** What a page of `read` holds at the most besides one entry, as the fixture has opened the bus. Default 1 MiB. */
  readonly pageBytes?: number
  /** How long one who writes on and on waits between two entries, in milliseconds; for engines that are read more slowly than written. Default 0. */
  readonly pace?: number
}

/** Resources that keep a process alive, of the kinds that a bus may leave behind. */
const KINDS = /^(TCP|Pipe|Socket|MessagePort|Timeout|Immediate|Worker)/

export function busContract(
  name: string,
  open: () => Promise<OpenLog>,
  { skip, largest = 1_048_576, pageBytes = 1_048_576, pace = 0 }: ContractOptions = {},
): void {
  const contract = (title: string, run: (log: OpenLog, t: TestContext) => Promise<void>) =>
    test(title, skip === undefined ? { timeout: 60_000 } : { skip }, async (t) => {
      const log = await within(open(), 'the log to open')
      const buses: Bus[] = []
      try {
        const bus = async () => {
          const opened = await within(log.bus(), 'a participant')
          buses.push(opened)
          return opened
        }
        await run({ ...log, bus }, t)
      } finally {
        await within(Promise.all(buses.map((one) => one.close())), 'the buses to close')
        await within(log.close(), 'the log to close')
      }
    })

  describe(`${name}: the contract of a bus`, () => {
    contract('an empty log: head 0, nothing to read, nothing lost', async (log) => {
      const bus = await log.bus()
      const page = await bus.read(0, 10)
      assert.deepEqual(page.entries, [])
      assert.equal(page.head, 0)
      assert.equal(page.lost, undefined)
      assert.match(page.epoch, /^[0-9a-z]{10}$/, 'hubs mint ids of ten such characters')
      assert.deepEqual((await bus.read(12_345, 10)).entries, [], 'a client may be ahead')
      const feed = heard()
      await bus.tail(feed.listener)
      const up = await feed.next('up')
      assert.deepEqual({ epoch: up.epoch, head: up.head }, { epoch: page.epoch, head: 0 })
    })

    contract('participants that append at once all see one order', async (log) => {
      const buses = [await log.bus(), await log.bus(), await log.bus()]
      const feeds = buses.map(() => heard())
      for (const [at, bus] of buses.entries()) await bus.tail(feeds[at]?.listener as never)
      const each = 60
      const positions = new Map<string, number>()
      await Promise.all(
        buses.map(async (bus, who) => {
          // A few under way at a time, so that they mix with the others'.
          const names = Array.from({ length: each }, (_, at) => `${who}:${at}`)
          while (names.length > 0) {
            const batch = names.splice(0, 4).map(async (text) => {
              positions.set(text, await bus.append(`channel ${who}`, bytes(text)))
            })
            await within(Promise.all(batch), 'appends')
          }
        }),
      )
      const total = each * buses.length
      const read = await readAll(buses[0] as Bus)
      assert.equal(read.length, total)
      rising(read)
      assert.equal(read[0]?.previous ?? 0, 0, 'nothing came before the first')
      for (const entry of read) {
        assert.equal(entry.position, positions.get(text(entry.body)), 'append answered the position')
        assert.equal(entry.channel, `channel ${text(entry.body).split(':')[0]}`)
      }
      for (const feed of feeds) {
        await feed.until(() => feed.entries.length >= total, 'every entry in the feed')
        assert.deepEqual(feed.entries.map(plain), read.map(plain))
      }
    })

    contract('one participant that awaits each append keeps its own order', async (log) => {
      const bus = await log.bus()
      let last = 0
      for (let at = 0; at < 20; at += 1) {
        const position = await bus.append('c', bytes(`${at}`))
        assert.ok(Number.isSafeInteger(position) && position > last, `${position} after ${last}`)
        last = position
        assert.equal((await bus.read(0, 1)).head, position, 'what is acknowledged is in the log')
      }
      assert.deepEqual(
        (await readAll(bus)).map((entry) => text(entry.body)),
        Array.from({ length: 20 }, (_, at) => `${at}`),
      )
    })

    contract('read: after a position, in pages, up to the end and beyond', async (log) => {
      const bus = await log.bus()
      const positions: number[] = []
      for (let at = 0; at < 25; at += 1) positions.push(await bus.append('c', bytes(`${at}`)))
      const head = positions.at(-1) as number
      const at = (page: Page) => page.entries.map((entry) => entry.position)
      const first = await bus.read(0, 10)
      assert.deepEqual(at(first), positions.slice(0, 10))
      assert.equal(first.head, head, 'the head is that of the log, not of the page')
      assert.equal(first.lost, undefined)
      for (const from of [0, 9, 14, 23]) {
        const page = await bus.read(positions[from] as number, 10)
        assert.deepEqual(at(page), positions.slice(from + 1, from + 11))
        assert.equal(page.entries[0]?.previous ?? positions[from], positions[from])
        assert.equal(page.lost, undefined)
      }
      assert.deepEqual(at(await bus.read(0, 1)), positions.slice(0, 1))
      assert.deepEqual(at(await bus.read(0, 1_000)), positions)
      for (const after of [head, head + 1, head + 1_000_000]) {
        const page = await bus.read(after, 10)
        assert.deepEqual(page.entries, [])
        assert.equal(page.head, head)
        assert.equal(page.lost, undefined)
      }
      const other = await (await log.bus()).read(0, 1_000)
      assert.deepEqual(at(other), positions)
      assert.equal(other.epoch, first.epoch)
    })

    contract(
      'tail: from now on, one reading up to its head and it alone give everything once',
      async (log) => {
        const writer = await log.bus()
        const expected: number[] = []
        let writing = true
        const written = (async () => {
          for (let at = 0; writing; at += 1) {
            expected.push(await writer.append('c', bytes(`${at}`)))
            if (pace > 0) await new Promise((resolve) => setTimeout(resolve, pace))
          }
        })()
        try {
          for (let round = 0; round < 5; round += 1) {
            const joiner = await log.bus()
            const feed = heard()
            const tail = await within(joiner.tail(feed.listener), 'the tail')
            const { head } = await feed.next('up')
            const seen: Entry[] = []
            while ((seen.at(-1)?.position ?? 0) < head) {
              const page = await within(joiner.read(seen.at(-1)?.position ?? 0, 7), 'a page')
              assert.equal(page.lost, undefined)
              assert.ok(page.entries.length > 0, 'there is something up to the head')
              seen.push(...page.entries)
            }
            const upTo = seen.at(-1)?.position ?? 0
            const more = expected.length + 50
            await feed.until(() => feed.entries.length > 50 && expected.length > more, 'the feed to go on')
            const goal = expected[more] as number
            await feed.until(() => (feed.entries.at(-1)?.position ?? 0) >= goal, 'the feed to catch up')
            // The feed may be faster than the answer to the writer: up to what he knows.
            for (const entry of [...feed.entries]) {
              if (entry.position > upTo && entry.position <= goal) seen.push(entry)
            }
            rising(seen)
            assert.deepEqual(
              seen.map((entry) => entry.position),
              expected.slice(0, seen.length),
            )
            assert.deepEqual(
              seen.map((entry) => text(entry.body)),
              seen.map((_, at) => `${at}`),
            )
            await tail.close()
          }
        } finally {
          writing = false
          await within(written, 'the writer')
        }
      },
    )

    contract('tail: up comes before any entry, and nothing after close', async (log) => {
      const bus = await log.bus()
      const told: string[] = []
      const listener = {
        up: () => told.push('up'),
        entry: (entry: Entry) => told.push(text(entry.body)),
        down: () => told.push('down'),
      }
      const kept = heard()
      await bus.tail(kept.listener)
      const tail = await bus.tail(listener)
      await waitFor(() => told.length > 0, 'the feed to be up')
      await bus.append('c', bytes('one'))
      await kept.until(() => kept.entries.length === 1, 'one')
      await bus.append('c', bytes('two'))
      await kept.until(() => kept.entries.length === 2, 'two')
      await waitFor(() => told.length === 3, 'the second feed to hear both')
      await tail.close()
      await tail.close()
      await bus.append('c', bytes('three'))
      await kept.until(() => kept.entries.length === 3, 'three')
      assert.deepEqual(told, ['up', 'one', 'two'])
    })

    contract('dedupe: one entry and one position for one name, whoever repeats it', async (log) => {
      const [one, two] = [await log.bus(), await log.bus()]
      const first = await one.append('c', bytes('first'), { dedupe: 'name ✓' })
      assert.equal(await one.append('c', bytes('first'), { dedupe: 'name ✓' }), first)
      assert.equal(await two.append('c', bytes('first'), { dedupe: 'name ✓' }), first)
      const after = await two.append('c', bytes('between'))
      assert.equal(await two.append('c', bytes('first'), { dedupe: 'name ✓' }), first)
      const other = await one.append('c', bytes('other'), { dedupe: 'name ✗' })
      const atOnce = await Promise.all(
        [one, two, one, two].map((bus) => bus.append('c', bytes('race'), { dedupe: 'race' })),
      )
      assert.equal(new Set(atOnce).size, 1)
      const entries = await readAll(one)
      assert.deepEqual(
        entries.map((entry) => text(entry.body)),
        ['first', 'between', 'other', 'race'],
      )
      assert.deepEqual(
        entries.map((entry) => entry.position),
        [first, after, other, atOnce[0]],
      )
      rising(entries)
    })

    contract('bodies of any bytes and channel names of any characters arrive as they were', async (log) => {
      const bus = await log.bus()
      const feed = heard()
      await (await log.bus()).tail(feed.listener)
      const every = Uint8Array.from({ length: 256 }, (_, at) => at)
      const bodies = [
        every,
        every.toReversed(),
        new Uint8Array(),
        bytes('\r\n$5\r\n\0'),
        Uint8Array.of(0xff, 0xfe, 0xc3),
      ]
      const channels = [
        'plain',
        'with space',
        'dots.and.*.>',
        'a/b?c#d%20',
        '{tag}:[x]',
        '"quoted" \\ \'',
        '~_-=+',
        'ü 漢字 🙂',
        '\u2028 \u00a0 \ufeff',
        'room',
        '\ufeffroom',
        '0',
        '__proto__',
        'x'.repeat(256),
        '漢'.repeat(256),
      ]
      const given = channels.flatMap((channel) => bodies.map((body) => ({ channel, body })))
      for (const { channel, body } of given) await bus.append(channel, body)
      await feed.until(() => feed.entries.length >= given.length, 'all entries')
      for (const entries of [await readAll(bus), feed.entries]) {
        assert.equal(entries.length, given.length)
        for (const [at, entry] of entries.entries()) {
          assert.equal(entry.channel, given[at]?.channel)
          assert.ok(entry.body instanceof Uint8Array)
          assert.deepEqual([...entry.body], [...(given[at]?.body ?? [])], `body on ${entry.channel}`)
        }
      }
      const part = new Uint8Array(every.buffer, 65, 3)
      await bus.append('part', part)
      await feed.until(() => feed.entries.length > given.length, 'a view of a part')
      assert.equal(text(feed.entries.at(-1)?.body as Uint8Array), 'ABC')
    })

    contract(
      `entries of ${largest} bytes; pages end by bytes, and all of them give everything`,
      async (log) => {
        const bus = await log.bus()
        const feed = heard()
        await (await log.bus()).tail(feed.listener)
        const sizes = [largest, 10, largest, largest, ...Array.from({ length: 12 }, () => largest >> 2), 1]
        const positions: number[] = []
        for (const [at, size] of sizes.entries()) {
          positions.push(await within(bus.append('large', filled(size, at)), `entry ${at}`))
        }
        const entries: Entry[] = []
        for (;;) {
          const page = await within(bus.read(entries.at(-1)?.position ?? 0, 1_000), 'a page')
          if (page.entries.length === 0) break
          assert.equal(page.lost, undefined)
          const total = page.entries.reduce((sum, entry) => sum + entry.body.length, 0)
          assert.ok(
            total <= pageBytes + largest,
            `a page of ${total} bytes in ${page.entries.length} entries`,
          )
          entries.push(...page.entries)
        }
        await feed.until(() => feed.entries.length >= sizes.length, 'all entries')
        for (const found of [entries, feed.entries]) {
          rising(found)
          assert.deepEqual(
            found.map((entry) => entry.position),
            positions,
          )
          for (const [at, entry] of found.entries()) {
            assert.ok(same(entry.body, filled(sizes[at] as number, at)), `entry ${at}`)
          }
        }
      },
    )

    contract('an aborted signal rejects append and read with its reason', async (log) => {
      const bus = await log.bus()
      const position = await bus.append('c', bytes('one'))
      const reason = new Error('enough')
      const signal = AbortSignal.abort(reason)
      await assert.rejects(within(bus.append('c', bytes('two'), { signal }), 'append'), reason)
      await assert.rejects(within(bus.read(0, 10, { signal }), 'read'), reason)
      const controller = new AbortController()
      const under = [
        bus.append('c', bytes('three'), { dedupe: 'three', signal: controller.signal }),
        bus.read(0, 10, { signal: controller.signal }),
      ]
      controller.abort(reason)
      for (const settled of await within(Promise.allSettled(under), 'both to settle')) {
        if (settled.status === 'rejected') assert.equal(settled.reason, reason)
      }
      // Nobody knows whether it was stored; the same name makes it certain, and only once.
      const three = await bus.append('c', bytes('three'), { dedupe: 'three' })
      const entries = await readAll(bus)
      assert.deepEqual(
        entries.map((entry) => text(entry.body)),
        ['one', 'three'],
      )
      assert.deepEqual(
        entries.map((entry) => entry.position),
        [position, three],
      )
      const unused = new AbortController()
      await bus.append('c', bytes('four'), { signal: unused.signal })
      await bus.read(0, 10, { signal: unused.signal })
      unused.abort()
    })

    contract(
      'an engine that hangs: append and read end with their signal, and all goes on after',
      async (log, t) => {
        if (!log.hang) return t.diagnostic('this engine cannot hang')
        const bus = await log.bus()
        const feed = heard()
        await bus.tail(feed.listener)
        await bus.append('c', bytes('before'))
        await feed.until(() => feed.entries.length === 1, 'the first')
        const resume = await log.hang()
        try {
          const signal = AbortSignal.timeout(300)
          const begun = performance.now()
          const timeout = { name: 'TimeoutError' }
          await Promise.all([
            assert.rejects(bus.append('c', bytes('during'), { dedupe: 'during', signal }), timeout),
            assert.rejects(bus.read(0, 10, { signal }), timeout),
          ])
          assert.ok(performance.now() - begun < 3_000, 'in bounded time')
        } finally {
          await resume()
        }
        const position = await within(
          bus.append('c', bytes('during'), { dedupe: 'during' }),
          'the repetition',
        )
        const entries = await readAll(bus)
        assert.deepEqual(
          entries.map((entry) => text(entry.body)),
          ['before', 'during'],
        )
        assert.equal(entries[1]?.position, position)
      },
    )

    contract(
      "trimming: 'trimmed' exactly when something after the asked position is gone",
      async (log, t) => {
        if (!log.trim) return t.diagnostic('this engine forgets nothing while it is looked at')
        const bus = await log.bus()
        const positions: number[] = []
        while (positions.length < 500) {
          const batch = Array.from({ length: 50 }, (_, at) =>
            bus.append('c', bytes(`${positions.length + at}`)),
          )
          positions.push(...(await Promise.all(batch)))
        }
        positions.sort((a, b) => a - b)
        const { epoch } = await bus.read(0, 1)
        await log.trim(200)
        const { entries, lost, head } = await bus.read(0, 1)
        const oldest = positions.indexOf(entries[0]?.position as number)
        assert.ok(oldest >= 10 && oldest < positions.length, `the engine has kept all but ${oldest}`)
        assert.equal(lost, 'trimmed')
        assert.equal(head, positions.at(-1))
        const lostAfter = async (at: number) => (await bus.read(positions[at] as number, 5)).lost
        assert.equal(await lostAfter(0), 'trimmed')
        assert.equal(await lostAfter(oldest - 2), 'trimmed', 'one entry between is gone')
        assert.equal(await lostAfter(oldest - 1), undefined, 'the very predecessor: nothing is missing')
        assert.equal(await lostAfter(oldest), undefined)
        assert.equal(await lostAfter(positions.length - 1), undefined)
        await log.trim(0)
        const gone = await bus.read(0, 5)
        assert.deepEqual(
          { entries: gone.entries.length, lost: gone.lost, head: gone.head, epoch: gone.epoch },
          { entries: 0, lost: 'trimmed', head: positions.at(-1), epoch },
        )
        assert.equal(await lostAfter(positions.length - 2), 'trimmed')
        assert.equal(await lostAfter(positions.length - 1), undefined)
        const next = await bus.append('c', bytes('next'))
        assert.ok(next > (positions.at(-1) as number), 'positions go on')
        const page = await bus.read(positions.at(-1) as number, 5)
        assert.deepEqual(
          { at: page.entries.map((entry) => entry.position), lost: page.lost, epoch: page.epoch },
          { at: [next], lost: undefined, epoch },
        )
        assert.equal(page.entries[0]?.previous ?? positions.at(-1), positions.at(-1))
        assert.equal((await bus.read(0, 5)).lost, 'trimmed')
      },
    )

    contract('the epoch is one for all participants, in pages and tails, early and late', async (log) => {
      const early = await Promise.all([log.bus(), log.bus()])
      const epochs = (await Promise.all(early.map((bus) => bus.read(0, 1)))).map((page) => page.epoch)
      await early[0]?.append('c', bytes('x'))
      for (const bus of [...early, await log.bus()]) {
        const feed = heard()
        await bus.tail(feed.listener)
        epochs.push((await feed.next('up')).epoch, (await bus.read(0, 1)).epoch)
      }
      assert.equal(new Set(epochs).size, 1)
    })

    contract('close ends the feeds, refuses what comes after, and leaves the others alone', async (log) => {
      const [bus, other] = [await log.bus(), await log.bus()]
      const feeds = [heard(), heard(), heard()]
      await bus.tail((feeds[0] as ReturnType<typeof heard>).listener)
      await bus.tail((feeds[1] as ReturnType<typeof heard>).listener)
      await other.tail((feeds[2] as ReturnType<typeof heard>).listener)
      await bus.append('c', bytes('one'))
      for (const feed of feeds) await feed.until(() => feed.entries.length === 1, 'the first entry')
      await within(bus.close(), 'the bus to close')
      await within(bus.close(), 'the bus to close again')
      await log.usable?.()
      await assert.rejects(bus.append('c', bytes('two')), { code: 'SLUICE_HUB_CLOSED' })
      await assert.rejects(bus.read(0, 1), { code: 'SLUICE_HUB_CLOSED' })
      await assert.rejects(bus.tail(heard().listener), { code: 'SLUICE_HUB_CLOSED' })
      await other.append('c', bytes('three'))
      await feeds[2]?.until(() => feeds[2]?.entries.length === 2, 'the other to go on')
      assert.deepEqual(
        feeds.map((feed) => ({ entries: feed.entries.length, downs: feed.downs })),
        [
          { entries: 1, downs: 0 },
          { entries: 1, downs: 0 },
          { entries: 2, downs: 0 },
        ],
      )
    })

    contract('close while a tail is being established: both settle, nothing stays', async (log) => {
      const [bus, other] = [await log.bus(), await log.bus()]
      const feed = heard()
      const tail = bus.tail(feed.listener).then(
        (made) => made.close(),
        (error) => assert.equal(error.code, 'SLUICE_HUB_CLOSED'),
      )
      await within(bus.close(), 'the bus to close')
      await within(tail, 'the tail to settle')
      await other.append('c', bytes('x'))
      assert.equal((await other.read(0, 1)).entries.length, 1)
      assert.deepEqual(feed.entries, [])
    })

    test('no handles are left', skip === undefined ? { timeout: 60_000 } : { skip }, async () => {
      const held = () => process.getActiveResourcesInfo().filter((kind) => KINDS.test(kind))
      const settled = (await sameFor(held)).length
      const log = await open()
      const buses = [await log.bus(), await log.bus()]
      for (const bus of buses) {
        await bus.tail(heard().listener)
        await bus.append('c', bytes('x'))
        await bus.read(0, 1)
      }
      await Promise.all(buses.map((bus) => bus.close()))
      await log.close()
      await waitFor(
        () => held().length <= settled,
        () => `${settled} handles were there, now there are ${held()}`,
      )
    })
  })
}

const bytes = (string: string): Uint8Array => new TextEncoder().encode(string)
const text = (body: Uint8Array): string => new TextDecoder().decode(body)
const plain = ({ position, channel, body }: Entry) => ({ position, channel, body: text(body) })

/** Not compressible into one byte repeated, and different for each seed. */
function filled(size: number, seed: number): Uint8Array {
  const body = new Uint8Array(size)
  for (let at = 0; at < size; at += 1) body[at] = (at * 31 + (at >> 8) + seed) & 255
  return body
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at])
}

/** Positions rise, and every predecessor that the engine can name is the entry before. */
function rising(entries: readonly Entry[]): void {
  for (const [at, entry] of entries.entries()) {
    const before = entries[at - 1]
    assert.ok(Number.isSafeInteger(entry.position) && entry.position > 0, `position ${entry.position}`)
    if (!before) continue
    assert.ok(entry.position > before.position, `${entry.position} comes after ${before.position}`)
    if (entry.previous !== undefined) assert.equal(entry.previous, before.position)
  }
}

/** Everything that the log holds, page by page. */
export async function readAll(bus: Bus, limit = 50): Promise<Entry[]> {
  const entries: Entry[] = []
  for (;;) {
    const page = await within(bus.read(entries.at(-1)?.position ?? 0, limit), 'a page')
    if (page.entries.length === 0) return entries
    assert.ok(page.entries.length <= limit)
    entries.push(...page.entries)
  }
}

/** Until a condition holds that nothing tells of; fails after ten seconds. */
export async function waitFor(condition: () => boolean, what: string | (() => string)): Promise<void> {
  const end = performance.now() + 10_000
  while (!condition()) {
    if (performance.now() > end) throw new Error(typeof what === 'string' ? `gave up on: ${what}` : what())
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** A reading that has not changed for a tenth of a second: what ended before has gone. */
async function sameFor<T extends readonly unknown[]>(read: () => T): Promise<T> {
  const end = performance.now() + 5_000
  for (let last = read(), since = performance.now(); ; ) {
    await new Promise((resolve) => setTimeout(resolve, 10))
    const now = read()
    if (now.length !== last.length) {
      last = now
      since = performance.now()
    } else if (performance.now() - since > 100 || performance.now() > end) return now
  }
}

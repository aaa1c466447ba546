// The parts of bench/load that count and decide, without a socket.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Crowd } from '../../bench/load/crowd.ts'
import { Histogram } from '../../bench/load/histogram.ts'
import { Ids, Trail } from '../../bench/load/ids.ts'
import { type Limits, plan } from '../../bench/load/limits.ts'
import { spreadOf } from '../../bench/load/spread.ts'
import { parseStamp } from '../../bench/load/stamp.ts'
import { isHere } from '../../bench/load/target.ts'
import { listen } from '../support/server.ts'

const LINUX: Limits = { descriptors: 20_000, ports: 28_232, manyLoopbacks: true }
const LOOPBACK = { address: '127.0.0.1', loopback: true, here: true }

test('percentiles are right within 1.6 %, also when they were added up from two processes', () => {
  const one = new Histogram()
  const two = new Histogram()
  for (let n = 1; n <= 10_000; n += 1) (n % 2 ? one : two).add(n / 10)
  one.merge(JSON.parse(JSON.stringify(two.data())))
  assert.equal(one.count, 10_000)
  for (const share of [0.001, 0.5, 0.9, 0.99, 0.999]) {
    const off = Math.abs(one.percentile(share) / (share * 1_000) - 1)
    assert.ok(off < 0.016, `${share}: off by ${off}`)
  }
  const { max, mean, n } = one.summary()
  assert.deepEqual([n, max, mean], [10_000, 1_000, 500.05])
  assert.deepEqual(new Histogram().summary().p50, null)
})

test('clients are shared among processes, and among source addresses on loopback', () => {
  assert.deepEqual(plan(8_000, undefined, LOOPBACK, LINUX), { processes: 1, sources: [] })
  assert.deepEqual(plan(8_001, undefined, LOOPBACK, LINUX), { processes: 2, sources: [] })
  assert.deepEqual(plan(25_000, undefined, LOOPBACK, LINUX), { processes: 4, sources: [] })
  assert.deepEqual(plan(50_001, undefined, LOOPBACK, LINUX), {
    processes: 7,
    sources: ['127.0.0.1', '127.0.0.2', '127.0.0.3'],
  })
})

test('a limit that is too low is named, with what to raise', () => {
  assert.throws(
    () => plan(8_000, undefined, LOOPBACK, { ...LINUX, descriptors: 1_024 }),
    /8100 file descriptors.*allows 1024.*ulimit -n 8100.*--processes 9/s,
  )
  const remote = { address: '192.0.2.9', loopback: false, here: false }
  assert.throws(() => plan(30_000, undefined, remote, LINUX), /ip_local_port_range.*2 machines/)
  assert.throws(
    () => plan(30_000, undefined, { ...LOOPBACK, address: '::1' }, LINUX),
    /127\.0\.0\.1 on Linux/,
  )
  assert.throws(
    () => plan(30_000, undefined, LOOPBACK, { ...LINUX, manyLoopbacks: false }),
    /127\.0\.0\.1 on Linux/,
  )
})

test('clients connect from the source addresses they are given, in turn', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const { createServer } = await import('node:http')
  const from: (string | undefined)[] = []
  const server = createServer((req, res) => {
    from.push(req.socket.remoteAddress)
    res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: x\n\n')
  })
  const port = await listen(server)
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const crowd = new Crowd({
    ...{
      url: `http://127.0.0.1:${port}/`,
      address: '127.0.0.1',
      headers: {},
      insecure: false,
      timestamp: undefined,
    },
    ...{
      sources: ['127.0.0.2', '127.0.0.3'],
      clients: 4,
      part: 0,
      of: 1,
      slow: 0,
      ramp: 0,
      churn: 0,
      fresh: false,
    },
    startAt: Date.now(),
  })
  crowd.start()
  while (crowd.tick().events < 4) await new Promise((resolve) => setTimeout(resolve, 5))
  const figures = await crowd.stop()
  assert.equal(figures.counts.opened, 4)
  assert.deepEqual(from.sort(), ['127.0.0.2', '127.0.0.2', '127.0.0.3', '127.0.0.3'])
})

test('this machine is loopback and its own addresses, however they are written', () => {
  for (const address of ['127.0.0.1', '127.9.9.9', '::1', '0.0.0.0', '::', '::ffff:127.0.0.1']) {
    assert.ok(isHere(address), address)
  }
  for (const address of ['192.0.2.1', '2001:db8::1', '::ffff:192.0.2.1', '128.0.0.1']) {
    assert.ok(!isHere(address), address)
  }
})

test('the time of sending is found in a field, in a field of a field, and by an expression', () => {
  assert.equal(parseStamp('t')('{"t":12.5}'), 12.5)
  assert.equal(parseStamp('a.b')('{"a":{"b":"12"}}'), 12)
  assert.equal(parseStamp('/sent=(\\d+)/')('x sent=99 y'), 99)
  assert.equal(parseStamp('/^\\d+/g')('77 and more'), 77)
  for (const data of ['', 'no json', '{}', '{"t":null}', '[1]', 'null', '{"t":""}']) {
    assert.equal(parseStamp('t')(data), undefined, data)
  }
})

test('a pile is found where ends gather, and none where they are spread', () => {
  const scattered = Array.from({ length: 50 }, (_, index) => index * 2_000)
  assert.equal(spreadOf(scattered).pile, null)
  const piled = [...scattered.slice(0, 10), ...Array.from({ length: 40 }, (_, index) => 60_000 + index * 5)]
  const { pile, count, counts, bounds } = spreadOf(piled)
  assert.deepEqual(pile, { from: 60_000, to: 60_195, count: 40 })
  assert.equal(count, 50)
  assert.equal(counts[bounds.indexOf(68_000)], 40, 'in one class, not cut at 60 s')
  assert.equal(spreadOf([]).median, null)
})

/** Events `id` or `id:name` for a client, in order; `|` is a reconnection. */
function follow(ids: Ids, steps: string): { trail: Trail; verdicts: string[] } {
  const trail = new Trail(ids)
  trail.opened()
  const verdicts: string[] = []
  for (const step of steps.split(' ')) {
    if (step === '|') {
      trail.closed()
      trail.opened()
      continue
    }
    const [id = '', name = 'message'] = step.split(':')
    if (name === 'empty') trail.settled(id)
    else verdicts.push(trail.event(name, `data of ${id}`, id))
  }
  trail.closed()
  return { trail, verdicts }
}

test('missed events are told by what others saw, and apart: on an open stream, and while away', () => {
  const ids = new Ids()
  follow(ids, '1 3 5 7 9 11')
  assert.deepEqual(ids.missed(), { open: 0, away: 0 }, 'holes in the sequence are nobody’s loss')
  follow(ids, '3 7 9')
  assert.deepEqual(ids.missed(), { open: 1, away: 0 })
  follow(ids, '1 3 | 9 11')
  assert.deepEqual(ids.missed(), { open: 1, away: 2 })
  follow(ids, '1 3 | 5 7 | 9')
  assert.deepEqual(ids.missed(), { open: 1, away: 2 })
})

test('a block that only names a place is where a client starts, and what comes after must arrive', () => {
  const ids = new Ids()
  const epoch = 'abcdefghij'
  follow(ids, `${epoch}-1 ${epoch}-2 ${epoch}-3 ${epoch}-4`)
  follow(ids, `${epoch}-1:empty ${epoch}-3`)
  assert.deepEqual(ids.missed(), { open: 1, away: 0 })
  // Sluice says what is lost; it is missed all the same.
  follow(ids, `${epoch}-1 | ${epoch}-3:gap ${epoch}-4`)
  assert.equal(ids.missed()?.away, 2)
})

test('duplicates, other lives of a log, and ids that tell nothing', () => {
  const ids = new Ids()
  assert.deepEqual(follow(ids, '1 2 | 2 1 3').verdicts, [
    'sequential',
    'sequential',
    'duplicate',
    'duplicate',
    'sequential',
  ])
  const lives = new Ids()
  const { verdicts } = follow(lives, 'aaaaaaaaaa-7 | bbbbbbbbbb-1 bbbbbbbbbb-2 x-y')
  assert.deepEqual(verdicts, ['sequential', 'sequential', 'sequential', 'opaque'])
  assert.equal(lives.lives, 2)
  assert.deepEqual(lives.missed(), { open: 0, away: 0 })
})

// bench/load, run as its users run it: a process of its own against a server here, over real sockets of loopback.

import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Report } from '../../bench/load/report.ts'
import { findProgram, need } from '../support/need.ts'
import { eventually, listen, serve } from '../support/server.ts'

const MAIN = fileURLToPath(new URL('../../bench/load/main.ts', import.meta.url))
/** TEST-NET-1 of RFC 5737: an address that nobody has. */
const NOBODY = '192.0.2.1'
/** The preload that writes a line for each connection that is begun. */
const WATCH = `data:text/javascript,${encodeURIComponent(`
  import { Socket } from 'node:net'
  const connect = Socket.prototype.connect
  Socket.prototype.connect = function (...args) { console.log('CONNECT'); return connect.apply(this, args) }
`)}`

interface Run {
  child: ChildProcess
  out: string
  err: string
  done: Promise<{ code: number | null; out: string; err: string }>
}

function begin(t: TestContext, args: string[], preload: string[] = []): Run {
  const execArgv = [...process.execArgv, ...preload]
  const child = fork(MAIN, args, { silent: true, execArgv })
  const run: Run = { child, out: '', err: '', done: Promise.resolve({ code: 0, out: '', err: '' }) }
  child.stdout?.on('data', (bytes: Buffer) => {
    run.out += bytes
  })
  child.stderr?.on('data', (bytes: Buffer) => {
    run.err += bytes
  })
  run.done = new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, out: run.out, err: run.err }))
  })
  t.after(() => child.kill('SIGKILL'))
  return run
}

/** Runs it and reads its report. */
async function load(t: TestContext, ...args: string[]): Promise<{ code: number | null; report: Report }> {
  return reported(begin(t, [...args, '--json', '-']))
}

async function reported(run: Run): Promise<{ code: number | null; report: Report }> {
  const { code, out, err } = await run.done
  assert.notEqual(out, '', err)
  return { code, report: JSON.parse(out) as Report }
}

/** A server without Sluice, gone with its test. */
async function plain(
  t: TestContext,
  handler: (req: IncomingMessage, res: ServerResponse) => void,
): Promise<string> {
  const server = createServer(handler)
  const port = await listen(server)
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${port}/`
}

function openStream(res: ServerResponse, first: string): void {
  res.writeHead(200, { 'content-type': 'text/event-stream' })
  res.write(first)
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

test('all events of all clients are counted, timed and in order, by several processes', async (t) => {
  const { hub, url } = await serve(t, (hub, req, res) => void hub.connect(req, res, { channels: ['a'] }))
  const run = begin(t, [
    ...['--url', url, '--clients', '30', '--ramp', '0.2', '--duration', '2', '--timestamp', 'at.ms'],
    ...['--processes', '2', '--json', '-'],
  ])
  await eventually(() => hub.stats().connections === 30)
  for (let n = 0; n < 40; n += 1) {
    await hub.publish('a', { data: { at: { ms: performance.timeOrigin + performance.now() }, n } })
    // On another channel, so that the ids have holes where nothing is missed.
    await hub.publish('b', { data: n })
    await wait(10)
  }
  const { code, report } = await reported(run)
  assert.equal(code, 0)
  const { connects, events, times, ids, disconnects, generator } = report
  assert.equal(connects.opened, 30)
  assert.deepEqual(connects.statuses, { 200: 30 })
  assert.equal(connects.openAtEnd, 30)
  assert.ok(
    (connects.perSecond ?? 0) > 20 && (connects.perSecond ?? 0) < 400,
    `${connects.perSecond} connects/s`,
  )
  assert.equal(events.total, 1_200)
  assert.ok((events.perSecond ?? 0) > 300 && (events.perSecond ?? 0) <= 601, `${events.perSecond} events/s`)
  assert.equal(times.firstByte.n, 30)
  assert.equal(times.latency.n, 1_200)
  const { p50, p99 } = times.latency
  assert.ok(p50 !== null && p50 > 0 && p50 < 1_000 && p99 !== null && p99 >= p50, `${p50}, ${p99}`)
  assert.equal(report.latency.unstamped, 0)
  assert.deepEqual(
    { ...ids, none: 0 },
    { ...ids, sequential: 1_200, none: 0, duplicates: 0, missedOpen: 0, missedAway: 0 },
  )
  assert.equal(ids.lives, 1)
  assert.equal(disconnects.total, 0)
  assert.equal(generator.processes, 2)
})

test('clients that leave by churn come back with their last event ID and miss nothing', async (t) => {
  const asked: (string | undefined)[] = []
  const { hub, url } = await serve(t, (hub, req, res) => {
    asked.push(req.headers['last-event-id'] as string | undefined)
    hub.connect(req, res, { channels: ['a'] })
  })
  const ticker = setInterval(() => void hub.publish('a', { data: 'x' }), 20)
  t.after(() => clearInterval(ticker))
  const { code, report } = await load(
    t,
    ...['--url', url, '--clients', '10', '--ramp', '0', '--duration', '2', '--churn', '20'],
  )
  assert.equal(code, 0)
  const { churn, connects, reconnects, ids, disconnects } = report
  assert.ok(churn.left >= 35 && churn.left <= 40, `${churn.left} left`)
  assert.ok(churn.left - churn.returned <= 1, 'all came back, but perhaps the last')
  assert.equal(connects.attempts, 10 + churn.left)
  assert.ok(asked.length - connects.attempts <= 0 && asked.filter((id) => id !== undefined).length >= 34)
  assert.equal(reconnects.withLastEventId, churn.left)
  assert.equal(reconnects.attempts, 0, 'what leaves by itself is no reconnection')
  assert.equal(disconnects.total, 0, 'and no disconnection')
  assert.deepEqual([ids.duplicates, ids.missedOpen, ids.missedAway], [0, 0, 0])
})

test('a server that ends streams after a time shows in the histogram of ages, and its retry is kept', async (t) => {
  const arrivals: number[] = []
  const url = await plain(t, (_req, res) => {
    arrivals.push(performance.now())
    openStream(res, 'retry: 200\ndata: first\n\n')
    const ticker = setInterval(() => res.write('data: on\n\n'), 50)
    setTimeout(() => {
      clearInterval(ticker)
      res.end()
    }, 400)
  })
  const { code, report } = await load(
    t,
    ...['--url', url, '--clients', '6', '--ramp', '0', '--duration', '1.8'],
  )
  assert.equal(code, 0)
  const { disconnects, reconnects, connects, findings, times } = report
  // Lives of 0.4 s with 0.2 s between: ends at 0.4, 1.0 and 1.6.
  assert.ok(disconnects.total >= 12 && disconnects.total <= 18, `${disconnects.total} ends`)
  assert.deepEqual(disconnects.ends, { ended: disconnects.total })
  const { pile } = disconnects.age
  assert.ok(pile && pile.from >= 350 && pile.to < 700, JSON.stringify(pile))
  assert.equal(pile.count, disconnects.total)
  assert.ok((disconnects.silence.max ?? 1_000) < 300)
  assert.ok(
    findings.some((finding) => finding.includes('at an age of') && finding.includes('maximum duration')),
  )
  assert.deepEqual(reconnects.retry, [200, 200])
  assert.equal(reconnects.retries, arrivals.length)
  assert.equal(reconnects.attempts, arrivals.length - 6)
  assert.equal(connects.attempts, arrivals.length)
  assert.ok((times.away.p50 ?? 0) >= 199, `away for ${times.away.p50} ms`)
})

test('a server that closes idle streams shows in the histogram of silences', async (t) => {
  let count = 0
  const url = await plain(t, (_req, res) => {
    openStream(res, 'retry: 100000\n\n')
    // Traffic for a while, different for each, so that the ages differ; then silence, and a socket cut short.
    let left = 1 + (count++ % 8) * 4
    const ticker = setInterval(() => {
      if (left-- > 0) return void res.write('data: x\n\n')
      clearInterval(ticker)
      setTimeout(() => res.destroy(), 1_100)
    }, 50)
  })
  const { report } = await load(t, ...['--url', url, '--clients', '24', '--ramp', '0', '--duration', '4'])
  const { disconnects, findings, connects } = report
  assert.deepEqual(disconnects.ends, { cut: 24 })
  const { silence, age } = disconnects
  assert.equal(silence.pile?.count, 24, JSON.stringify(silence))
  assert.ok((silence.pile?.from ?? 0) > 1_000 && (silence.pile?.to ?? 0) < 1_500)
  assert.ok((age.max ?? 0) - (age.min ?? 0) > 1_000)
  assert.ok(findings.some((finding) => finding.includes('idle timeout') && finding.includes('heartbeat')))
  assert.equal(connects.awayAtEnd, 24)
})

test('events that are lost over a reconnection are counted by their ids', async (t) => {
  let next = 1
  const open = new Set<ServerResponse>()
  const url = await plain(t, (_req, res) => {
    openStream(res, 'retry: 50\n\n')
    open.add(res)
    res.on('close', () => open.delete(res))
  })
  const ticker = setInterval(() => {
    for (const res of open) res.write(`id: ${next}\ndata: n\n\n`)
    next += 1
  }, 30)
  t.after(() => clearInterval(ticker))
  const run = begin(t, ['--url', url, '--clients', '4', '--ramp', '0', '--duration', '2', '--json', '-'])
  await eventually(() => open.size === 4)
  await wait(500)
  for (let round = 0; round < 4; round += 1) {
    const [first] = open
    first?.end()
    await wait(200)
  }
  const { report } = await reported(run)
  const { ids, reconnects } = report
  assert.equal(reconnects.attempts, 4)
  assert.equal(reconnects.withLastEventId, 4)
  assert.equal(ids.duplicates, 0)
  // Away for some 55 ms at 33 events a second: one or two each time, seldom more.
  assert.ok((ids.missedAway ?? 0) >= 3 && (ids.missedAway ?? 0) <= 16, `${ids.missedAway} missed`)
  assert.equal(ids.missedOpen, 0)
})

test('a last event that is replayed is a duplicate', async (t) => {
  const url = await plain(t, (req, res) => {
    openStream(
      res,
      `retry: 50\n\n${req.headers['last-event-id'] ? 'id: 2\ndata: two\n\n' : 'id: 1\ndata: one\n\nid: 2\ndata: two\n\n'}`,
    )
    res.write('data: without an id\n\n')
    if (!req.headers['last-event-id']) setTimeout(() => res.end(), 200)
  })
  const { report } = await load(t, ...['--url', url, '--clients', '3', '--ramp', '0', '--duration', '1'])
  assert.equal(report.ids.duplicates, 3)
  assert.deepEqual([report.ids.sequential, report.ids.none], [6, 6])
})

test('readers that stop are let go by Sluice, and the others do not notice', async (t) => {
  const { hub, url } = await serve(t, (hub, req, res) => void hub.connect(req, res, { channels: ['a'] }), {
    stallTimeout: 500,
  })
  const padding = 'x'.repeat(100_000)
  const run = begin(t, [
    ...['--url', url, '--clients', '8', '--slow', '3', '--ramp', '0', '--duration', '4', '--json', '-'],
  ])
  await eventually(() => hub.stats().connections === 8)
  let published = 0
  while (hub.stats().closes.stalled < 3 && published < 300) {
    await hub.publish('a', { data: padding })
    published += 1
    await wait(8)
  }
  assert.equal(hub.stats().closes.stalled, 3)
  const { report } = await reported(run)
  assert.deepEqual({ ...report.slow, bytesReadOut: 0 }, { clients: 3, opened: 3, letGo: 3, bytesReadOut: 0 })
  assert.ok(report.slow.bytesReadOut > 0)
  assert.equal(report.events.total, published * 5)
  assert.equal(report.disconnects.total, 0)
})

test('answers that forbid to come back are obeyed and counted, and the run ends when nobody is left', async (t) => {
  let count = 0
  const url = await plain(t, (_req, res) => {
    count += 1
    if (count % 3 === 0) res.writeHead(200, { 'content-type': 'text/html' }).end('<p>')
    else if (count % 3 === 1) res.writeHead(503).end()
    else res.writeHead(302, { location: `http://${NOBODY}/` }).end()
  })
  const start = performance.now()
  const { code, report } = await load(
    t,
    ...['--url', url, '--clients', '9', '--ramp', '0', '--duration', '60'],
  )
  assert.ok(performance.now() - start < 15_000)
  assert.equal(code, 1, 'no stream opened')
  const { connects } = report
  assert.deepEqual(connects.statuses, { 200: 3, 302: 3, 503: 3 })
  assert.deepEqual([connects.gaveUp, connects.wrongType, connects.redirectsRefused], [9, 3, 3])
  assert.deepEqual([connects.attempts, connects.opened, connects.redirects], [9, 0, 0])
})

test('a redirect to another port of the same host is followed, with the headers given', async (t) => {
  let got: string | undefined
  let host: string | undefined
  const there = await plain(t, (req, res) => {
    got = req.headers['x-token'] as string
    host = req.headers.host
    openStream(res, 'data: here\n\n')
  })
  const url = await plain(t, (_req, res) => res.writeHead(307, { location: there }).end())
  const { code, report } = await load(
    t,
    ...['--url', url, '--clients', '2', '--ramp', '0', '--duration', '0.5', '--header', 'X-Token: a: b'],
  )
  assert.equal(code, 0)
  assert.equal(got, 'a: b')
  assert.equal(`http://${host}/`, there)
  assert.deepEqual([report.connects.redirects, report.connects.opened, report.events.total], [2, 2, 2])
})

test('nothing that listens: the failures by their code, and status 1', async (t) => {
  const server = createServer()
  const port = await listen(server)
  server.close()
  const url = `http://127.0.0.1:${port}/`
  const { code, report } = await load(
    t,
    ...['--url', url, '--clients', '3', '--ramp', '0', '--duration', '0.5'],
  )
  assert.equal(code, 1)
  assert.deepEqual(report.connects.failures, { ECONNREFUSED: 3 })
})

const openssl = findProgram('openssl')

test('a stream over TLS, by name', need('openssl', openssl), async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-load-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const args =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -keyout key.pem -out cert.pem'
  execFileSync(openssl as string, args.split(' '), { cwd: folder, stdio: 'ignore' }) // skipped without it
  const file = (name: string): Buffer => readFileSync(join(folder, name))
  let name: string | false | undefined
  const server = createSecureServer({ key: file('key.pem'), cert: file('cert.pem') }, (req, res) => {
    name = (req.socket as { servername?: string | false }).servername
    openStream(res, 'data: x\n\n')
  })
  const port = await listen(server)
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const args2 = ['--url', `https://localhost:${port}/`, '--clients', '2', '--ramp', '0', '--duration', '0.5']
  const strict = await load(t, ...args2)
  assert.equal(strict.code, 1)
  assert.deepEqual(strict.report.connects.failures, { DEPTH_ZERO_SELF_SIGNED_CERT: 2 })
  const lax = await load(t, ...args2, '--insecure')
  assert.equal(lax.code, 0)
  assert.equal(lax.report.events.total, 2)
  assert.equal(name, 'localhost')
})

test('Ctrl-C ends the run with its report, as a table', async (t) => {
  const { hub, url } = await serve(t, (hub, req, res) => void hub.connect(req, res, { channels: ['a'] }))
  const run = begin(t, [
    '--url',
    `${url}path?token=secret`,
    '--clients',
    '5',
    '--ramp',
    '0',
    '--duration',
    '600',
  ])
  await eventually(() => hub.stats().connections === 5)
  await hub.publish('a', { data: 'x' })
  await eventually(() => /5 open/.test(run.err), 'a line of progress')
  run.child.kill('SIGINT')
  const { code, out } = await run.done
  assert.equal(code, 0)
  assert.match(out, /ended early/)
  assert.match(out, /opened +5 of 5/)
  assert.match(out, /first byte of the stream +5 /)
  assert.doesNotMatch(out, /secret/)
})

test('a host that is not this machine is refused before anything is sent', async (t) => {
  const own = Object.values(networkInterfaces()).flat()
  assert.ok(!own.some((entry) => entry?.address === NOBODY), 'a documentation address is nobody’s')
  for (const url of [`http://${NOBODY}/`, `https://${NOBODY}:8443/`, `http://[::ffff:${NOBODY}]/`]) {
    const { code, out, err } = await begin(t, ['--url', url], ['--import', WATCH]).done
    assert.equal(code, 2)
    assert.match(err, /is not this machine.*--i-may-load-this-host/)
    assert.doesNotMatch(out, /CONNECT/)
  }
  // The watch works: to this machine it sees connections… of the workers, which have it, too.
  const url = await plain(t, (_req, res) => openStream(res, 'data: x\n\n'))
  const args = ['--url', url, '--clients', '2', '--ramp', '0', '--duration', '0.3']
  assert.match((await begin(t, args, ['--import', WATCH]).done).out, /CONNECT/)
})

test('--help says how; what cannot be meant is refused by name', async (t) => {
  const { code, out } = await begin(t, ['--help']).done
  assert.equal(code, 0)
  for (const option of [
    'url',
    'clients',
    'ramp',
    'slow',
    'churn',
    'duration',
    'json',
    'header',
    'timestamp',
  ]) {
    assert.match(out, new RegExp(`--${option} `))
  }
  const wrong: [string[], RegExp][] = [
    [[], /--url is missing/],
    [['--url', 'ftp://127.0.0.1/'], /--url is "ftp/],
    [['--url', 'http://127.0.0.1/', '--clients', '0'], /--clients is "0"/],
    [['--url', 'http://127.0.0.1/', '--slow', '101'], /--slow is 101, of 100/],
    [['--url', 'http://127.0.0.1/', '--header', 'nonsense'], /--header is "nonsense"/],
    [['--url', 'http://127.0.0.1/', '--timestamp', '/(/'], /--timestamp is/],
    [
      ['--url', 'http://127.0.0.1/', '--clients', '900000', '--processes', '1'],
      /file descriptors.*ulimit -n/s,
    ],
    [['--uri', 'http://127.0.0.1/'], /--uri/],
  ]
  for (const [args, message] of wrong) {
    const { code, err } = await begin(t, args).done
    assert.equal(code, 2, args.join(' '))
    assert.match(err, message)
  }
})

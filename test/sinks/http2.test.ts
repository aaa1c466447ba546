// Streams over HTTP/2, with real clients: node:http2, curl, Chromium.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
} from 'node:http2'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import compression from 'compression'
import { createDecoder, type DecodedEvent } from '../../src/event-stream.ts'
import { createHub, type Hub, type HubOptions } from '../../src/index.ts'
import { Pulse } from '../../src/sinks/pulse.ts'
import { makeCertificate, openssl } from '../support/certificate.ts'
import { openPage } from '../support/chromium.ts'
import { Client } from '../support/client.ts'
import { findChromium, findProgram, need } from '../support/need.ts'
import { eventually, listen } from '../support/server.ts'

type Handler = (hub: Hub, req: Http2ServerRequest, res: Http2ServerResponse) => void

const reads =
  (...channels: string[]): Handler =>
  (hub, req, res) =>
    void hub.connect(req, res, { channels })

async function serve(
  t: TestContext,
  handler: Handler,
  options: HubOptions = {},
): Promise<{ hub: Hub; server: Http2Server; url: string }> {
  const hub = createHub(options)
  const server = createServer((req, res) => handler(hub, req, res))
  server.on('sessionError', () => {})
  const port = await listen(server)
  closing(t, hub, server)
  return { hub, server, url: `http://127.0.0.1:${port}` }
}

/** Closes hub and server after the test: a server waits for its sessions, and they for their clients. */
function closing(t: TestContext, hub: Hub, server: Http2Server | Http2SecureServer): void {
  const sessions = new Set<ServerHttp2Session>()
  server.on('session', (one) => {
    sessions.add(one)
    one.once('close', () => sessions.delete(one))
  })
  t.after(async () => {
    await hub.close({ within: 0 })
    for (const one of sessions) one.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
}

/** A session whose end a test may bring about. */
function session(t: TestContext, url: string): ClientHttp2Session {
  const one = connect(url)
  one.on('error', () => {})
  t.after(() => one.destroy())
  return one
}

class Stream {
  readonly events: DecodedEvent[] = []
  readonly raw: ClientHttp2Stream
  headers: OutgoingHttpHeaders = {}
  lastEventId = ''
  closed = false

  constructor(one: ClientHttp2Session, headers: OutgoingHttpHeaders = {}, paused = false) {
    this.raw = one.request({ ':path': '/', accept: 'text/event-stream', ...headers })
    this.raw.on('error', () => {})
    this.raw.on('response', (got) => {
      this.headers = got
    })
    this.raw.on('close', () => {
      this.closed = true
    })
    const decoder = createDecoder((event) => this.events.push(event))
    if (!paused) {
      this.raw.on('data', (bytes: Buffer) => {
        decoder.write(bytes)
        this.lastEventId = decoder.lastEventId
      })
    }
  }

  get data(): string[] {
    return this.events.map(({ data }) => data)
  }

  open(): Promise<void> {
    return eventually(() => this.lastEventId !== '', 'the opening block')
  }

  count(events: number): Promise<void> {
    return eventually(() => this.events.length >= events, `${events} events`)
  }
}

const range = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index))

test('opens without connection headers, delivers, resumes exactly, sends to one alone, ends', async (t) => {
  const { hub, url } = await serve(t, (hub, req, res) => {
    res.setHeader('Set-Cookie', ['a=1', 'b=2'])
    const connection = hub.connect(req, res, {
      channels: ['a'],
      headers: { Connection: 'close', 'X-Mine': 'yes' },
      cors: true,
    })
    if (req.url === '/private') connection.send({ event: 'hello', data: 'you' })
  })
  const one = session(t, url)
  const first = new Stream(one)
  await first.open()
  assert.equal(first.headers[':status'], 200)
  assert.equal(first.headers['content-type'], 'text/event-stream')
  assert.equal(first.headers['x-mine'], 'yes')
  assert.deepEqual(first.headers['set-cookie'], ['a=1', 'b=2'])
  assert.equal(first.headers['access-control-allow-origin'], '*')
  for (const name of ['connection', 'keep-alive', 'transfer-encoding'])
    assert.ok(!(name in first.headers), name)
  const ids: string[] = []
  for (let n = 1; n <= 100; n += 1) ids.push(await hub.publish('a', { data: String(n) }))
  await first.count(100)
  assert.deepEqual(first.data, range(1, 100))
  const resumed = new Stream(one, { 'last-event-id': ids[59] })
  await resumed.count(40)
  assert.deepEqual(resumed.data, range(61, 100))
  assert.equal(resumed.headers['sluice-resume'], 'full')
  const alone = new Stream(one, { ':path': '/private' })
  await alone.count(1)
  assert.equal(alone.events[0]?.event, 'hello')
  assert.equal(hub.connections()[0]?.key, '127.0.0.1')
  assert.deepEqual(await hub.close({ within: 2_000 }), { ended: 3, destroyed: 0 })
  await eventually(() => first.closed && resumed.closed && alone.closed)
  assert.equal(first.raw.rstCode, 0)
})

test('HEAD, OPTIONS, another method, and a late connect()', async (t) => {
  const codes: unknown[] = []
  const { hub, url } = await serve(t, (hub, req, res) => {
    if (req.url === '/late') {
      res.writeHead(200)
      try {
        hub.connect(req, res)
      } catch (error) {
        codes.push((error as { code?: string }).code)
      }
      return void res.end()
    }
    hub.connect(req, res, { channels: ['a'] })
  })
  const one = session(t, url)
  const status = async (headers: OutgoingHttpHeaders): Promise<unknown> => {
    const stream = new Stream(one, headers)
    stream.raw.resume().end()
    await eventually(() => stream.closed)
    return stream.headers[':status']
  }
  assert.equal(await status({ ':method': 'HEAD' }), 200)
  assert.equal(await status({ ':method': 'OPTIONS' }), 204)
  assert.equal(await status({ ':method': 'POST' }), 405)
  assert.equal(await status({ ':path': '/late' }), 200)
  assert.deepEqual(codes, ['SLUICE_HEADERS_SENT'])
  assert.equal(hub.stats().opened, 0)
})

test('one stalled stream of a hundred on a session changes nothing for the others, and only it is reset', async (t) => {
  const { hub, url } = await serve(t, reads('a'), { stallTimeout: 1_000, heartbeat: 500 })
  const one = session(t, url)
  new Stream(one, {}, true)
  await eventually(() => hub.stats().connections === 1)
  const others = Array.from({ length: 99 }, () => new Stream(one))
  await Promise.all(others.map((other) => other.open()))
  // Some 400 KB each: far beyond the stream's window of 64 KB, which the stalled one never opens again.
  const padding = 'x'.repeat(1_000)
  for (let n = 1; n <= 400; n += 1) await hub.publish('a', { data: `${n} ${padding}` })
  let held = 0
  await eventually(() => {
    held = Math.max(held, ...hub.connections().map(({ bufferedBytes }) => bufferedBytes))
    return hub.stats().closes.stalled === 1
  }, 'the stalled one to be given up')
  assert.ok(held > 0 && held <= 65_536 + 1_100, `${held} bytes are held`)
  await Promise.all(others.map((other) => other.count(400)))
  for (const other of others) {
    assert.deepEqual(
      other.data.map((data) => data.split(' ')[0]),
      range(1, 400),
    )
  }
  assert.deepEqual(hub.stats().closes, { ...hub.stats().closes, client: 0, stalled: 1, dead: 0, error: 0 })
  assert.equal(hub.stats().connections, 99)
  // The session goes on.
  await hub.publish('a', { data: 'after' })
  await Promise.all(others.map((other) => other.count(401)))
})

test('cancel, the loss of a session, and a client that goes away: each stream closes once, with reason client', async (t) => {
  const { hub, url } = await serve(t, reads('a'))
  const closes: string[] = []
  hub.on('close', ({ id }, { reason }) => closes.push(`${id} ${reason}`))
  const one = session(t, url)
  const streams = Array.from({ length: 4 }, () => new Stream(one))
  await Promise.all(streams.map((stream) => stream.open()))
  streams[0]?.raw.close(8)
  await eventually(() => closes.length === 1)
  streams[1]?.raw.destroy()
  await eventually(() => closes.length === 2)
  // GOAWAY: no new streams; those that are open go on.
  one.close()
  await hub.publish('a', { data: 'still here' })
  await streams[2]?.count(1)
  one.destroy()
  await eventually(() => hub.stats().connections === 0)
  assert.deepEqual(
    closes.map((close) => close.split(' ')[1]),
    ['client', 'client', 'client', 'client'],
  )
  assert.equal(new Set(closes).size, 4)
})

test('a stream that was reset before connect() opens nothing', async (t) => {
  let reason: string | undefined
  const { hub, url } = await serve(t, async (hub, req, res) => {
    await new Promise((resolve) => res.once('close', resolve))
    reason = (await hub.connect(req, res, { channels: ['a'] }).closed).reason
  })
  const stream = new Stream(session(t, url))
  await new Promise((resolve) => setImmediate(resolve))
  stream.raw.on('ready', () => stream.raw.close(8))
  if (!stream.raw.pending) stream.raw.close(8)
  await eventually(() => reason !== undefined)
  assert.equal(reason, 'client')
  assert.equal(hub.stats().opened, 0)
})

test('limits.connectionsPerSession: one more stream of a session is refused, those of others are not', async (t) => {
  const { hub, url } = await serve(t, reads('a'), { limits: { connectionsPerSession: 2 } })
  const one = session(t, url)
  const [first] = [new Stream(one), new Stream(one)]
  await eventually(() => hub.stats().connections === 2)
  const third = new Stream(one, { accept: '*/*' })
  await eventually(() => third.headers[':status'] === 429)
  assert.ok(third.headers['retry-after'])
  await new Stream(session(t, url)).open()
  first?.raw.close(8)
  await eventually(() => hub.stats().connections === 2)
  await new Stream(one).open()
  assert.equal(hub.stats().refused.session, 1)
})

test('rapid open and reset leaves nothing behind, and others are served meanwhile', async (t) => {
  const { hub, url } = await serve(t, reads('a'))
  const witness = new Stream(session(t, url))
  await witness.open()
  let opened = 0
  // node:http2 ends a session that resets too fast (RFC 9113, section 10.5), so it takes several.
  for (let round = 0; round < 10; round += 1) {
    const one = session(t, url)
    for (let n = 0; n < 500 && !one.destroyed; n += 1) {
      const stream = one.request({ ':path': '/' })
      stream.on('error', () => {})
      stream.close(8)
      opened += 1
    }
    await hub.publish('a', { data: String(round) })
    await witness.count(round + 1)
    one.destroy()
  }
  assert.ok(opened >= 1_000)
  await eventually(() => hub.stats().connections === 1)
  const { opened: seen, closes } = hub.stats()
  assert.equal(seen, 1 + closes.client)
})

test('a middleware that wraps the response is written through', async (t) => {
  const compress = compression({ filter: () => true })
  const { hub, url } = await serve(t, (hub, req, res) => {
    // compression knows node:http's types only, and uses of a response what both have.
    const [untypedReq, untypedRes] = [req as never, res as never]
    compress(untypedReq, untypedRes, () => void hub.connect(req, res, { channels: ['a'] }))
  })
  const stream = new Stream(session(t, url), { 'accept-encoding': 'identity' })
  await stream.open()
  await hub.publish('a', { data: 'through' })
  await stream.count(1)
  stream.raw.close(8)
  await eventually(() => hub.stats().connections === 0)
})

test('one server for both versions (allowHTTP1)', need('openssl', openssl), async (t) => {
  const hub = createHub()
  const server = createSecureServer(
    { ...makeCertificate(), allowHTTP1: true },
    (req, res) => void hub.connect(req, res, { channels: ['a'] }),
  )
  const port = await listen(server)
  closing(t, hub, server)
  const old = await Client.open(`https://127.0.0.1:${port}/`, { rejectUnauthorized: false })
  const one = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
  t.after(() => one.destroy())
  const stream = new Stream(one)
  await stream.open()
  await hub.publish('a', { data: 'both' })
  await Promise.all([old.count(1), stream.count(1)])
  assert.equal(old.headers.connection, 'close')
  old.drop()
})

const curl = findProgram('curl')

test('curl --http2 reads a stream', need('curl', curl), async (t) => {
  const { hub, url } = await serve(t, (hub, req, res) => {
    const connection = hub.connect(req, res, { channels: ['a'] })
    connection.send({ data: 'one' })
    connection.close()
  })
  const args = ['-sS', '-i', '-N', '--max-time', '10', '--http2-prior-knowledge', `${url}/`]
  const { stdout } = await promisify(execFile)(curl as string, args) // the test is skipped without it
  assert.match(stdout, /^HTTP\/2 200/)
  assert.match(stdout, /data: one\n\n$/)
  assert.equal(hub.stats().closes.closed, 1)
})

test('Chromium opens twenty streams to one origin at once', {
  ...need('Chromium and openssl', findChromium() && openssl),
  timeout: 90_000,
}, async (t) => {
  const hub = createHub()
  const server = createSecureServer(makeCertificate(), (req, res) => {
    if (req.url !== '/events')
      return void res.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html>')
    hub.connect(req, res, { channels: ['a'] })
  })
  const port = await listen(server)
  closing(t, hub, server)
  const page = await openPage(t, { ignoreHTTPSErrors: true })
  await page.goto(`https://127.0.0.1:${port}/`)
  await page.evaluate(`
    window.got = 0
    window.sources = Array.from({ length: 20 }, () => {
      const source = new EventSource('/events')
      source.onmessage = () => { window.got += 1 }
      return source
    })
  `)
  await eventually(() => hub.stats().connections === 20)
  await hub.publish('a', { data: 'all' })
  await page.waitForFunction('window.got === 20', undefined, { timeout: 20_000 })
  await page.evaluate('window.sources.forEach((source) => source.close())')
  await eventually(() => hub.stats().connections === 0)
  assert.equal(hub.stats().closes.client, 20)
})

test('a pulse asks now and then, gives up only what does not answer, and not while an answer lies unread', async () => {
  const asked: (() => void)[] = []
  let destroyed = 0
  const fake = {
    destroyed: false,
    closed: false,
    ping: (answer: () => void) => asked.push(answer),
    destroy: () => {
      destroyed += 1
    },
  }
  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 4; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  }
  const pulse = new Pulse(fake as never) // as much of a session as a pulse uses
  pulse.wrote(10, 0)
  assert.equal(asked.length, 1)
  asked[0]?.()
  // However busy it is: several streams, or heartbeats every few seconds, leave no silence.
  for (let at = 1_000; at <= 12_000; at += 1_000) pulse.wrote(10, at)
  assert.equal(asked.length, 2)
  pulse.wrote(10, 26_000)
  await turns()
  assert.equal(destroyed, 0, 'it may still answer')
  pulse.wrote(10, 28_000)
  asked[1]?.()
  await turns()
  assert.equal(destroyed, 0, 'the answer was merely not read yet')
  // Three megabytes lie in front of the question: a slow line takes its time.
  pulse.wrote(3_000_000, 30_000)
  assert.equal(asked.length, 3)
  pulse.wrote(10, 30_000 + 15_000 + 180_000)
  await turns()
  assert.equal(destroyed, 0, 'the answer may still be behind them')
  asked[2]?.()
  pulse.wrote(10, 300_000)
  assert.equal(asked.length, 4)
  pulse.wrote(10, 316_000)
  await turns()
  assert.equal(destroyed, 1)
  assert.equal(pulse.dead, true)
})

import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import compression from 'compression'
import type { Closed } from '../../src/core/close.ts'
import { type Connection, createHub, type Hub } from '../../src/index.ts'
import { keepAliveDelay } from '../../src/sinks/carrier.ts'
import { Client } from '../support/client.ts'
import { exchange, RawClient } from '../support/raw.ts'
import { eventually, listen, serve } from '../support/server.ts'

test('a stream opens with its headers and a first block at once, and events arrive', async (t) => {
  const { hub, url } = await serve(t, (hub, req, res) => void hub.connect(req, res, { channels: ['a'] }))
  const client = await Client.open(url)
  assert.equal(client.status, 200)
  assert.equal(client.headers['content-type'], 'text/event-stream')
  assert.equal(client.headers['cache-control'], 'no-cache, no-store, no-transform')
  assert.equal(client.headers['x-accel-buffering'], 'no')
  assert.equal(client.headers['sluice-resume'], 'none')
  assert.equal(client.headers['transfer-encoding'], undefined)
  assert.equal(client.headers['content-length'], undefined)
  assert.equal(client.headers.connection, 'close')
  await client.until(() => client.text.endsWith('\n\n'))
  assert.equal(client.lastEventId, hub.position)
  const id = await hub.publish('a', { event: 'tick', data: { btc: 64_000 } })
  assert.deepEqual(await client.count(1), [{ event: 'tick', data: '{"btc":64000}', lastEventId: id }])
})

test('a chunked stream is chunked, and its connection can be used again', async (t) => {
  const { hub, port } = await serve(t, (hub, req, res) => {
    const connection = hub.connect(req, res, { channels: ['a'], framing: 'chunked' })
    connection.send({ data: 'only' })
    connection.close()
  })
  const raw = await RawClient.open(port)
  raw.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await raw.until((text) => text.endsWith('\r\n0\r\n\r\n'))
  assert.match(raw.text, /transfer-encoding: chunked/i)
  assert.match(raw.text, /data: only\n\n/)
  raw.text = ''
  raw.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await raw.until((text) => text.endsWith('\r\n0\r\n\r\n'))
  await eventually(() => hub.stats().closes.closed === 2)
  raw.destroy()
})

test('headers set before are kept, Set-Cookie too; options win; what would break the stream goes', async (t) => {
  const { url } = await serve(t, (hub, req, res) => {
    res.setHeader('Set-Cookie', ['a=1', 'b=2'])
    res.setHeader('Cache-Control', 'private')
    res.setHeader('X-Mine', 'yes')
    res.setHeader('Content-Length', '5')
    res.setHeader('Vary', 'Accept-Encoding')
    res.setHeader('Content-Type', 'text/html')
    res.statusCode = 404
    hub.connect(req, res, {
      headers: { 'X-Option': 'one', 'X-List': ['1', '2'], 'X-Accel-Buffering': 'yes' },
      cors: { origin: 'https://app.example', credentials: true },
    })
  })
  const client = await Client.open(url, { headers: { origin: 'https://app.example' } })
  assert.equal(client.status, 200)
  assert.deepEqual(client.headers['set-cookie'], ['a=1', 'b=2'])
  assert.equal(client.headers['cache-control'], 'private')
  assert.equal(client.headers['x-mine'], 'yes')
  assert.equal(client.headers['x-option'], 'one')
  assert.equal(client.headers['x-list'], '1, 2')
  assert.equal(client.headers['x-accel-buffering'], 'yes')
  assert.equal(client.headers['content-length'], undefined)
  assert.equal(client.headers['content-type'], 'text/event-stream')
  assert.equal(client.headers.vary, 'Accept-Encoding, Origin')
  assert.equal(client.headers['access-control-allow-origin'], 'https://app.example')
  assert.equal(client.headers['access-control-allow-credentials'], 'true')
})

test("HEAD gets a stream's headers, OPTIONS 204, other methods 405; nothing is registered", async (t) => {
  const closed: Promise<Closed>[] = []
  const { hub, url, port } = await serve(t, (hub, req, res) => {
    closed.push(hub.connect(req, res, { channels: ['a'] }).closed)
  })
  const head = await Client.open(url, { method: 'HEAD' })
  assert.equal(head.status, 200)
  assert.equal(head.headers['content-type'], 'text/event-stream')
  const options = await Client.open(url, { method: 'OPTIONS' })
  assert.equal(options.status, 204)
  assert.equal(options.headers.allow, 'GET, HEAD, OPTIONS')
  assert.equal(options.headers['access-control-allow-origin'], undefined)
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'QUERY']) {
    const answer = await exchange(port, `${method} / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc`)
    assert.match(answer, /^HTTP\/1\.1 405 /, method)
    assert.match(answer, /\r\nallow: GET, HEAD, OPTIONS\r\n/i)
    assert.match(answer, /opened with GET\.\n$/)
  }
  assert.equal(closed.length, 7)
  for (const one of closed) assert.equal((await one).reason, 'closed')
  assert.equal(hub.stats().opened, 0)
  assert.equal(hub.channel('a').size, 0)
})

test('a POST opens a stream where the methods say so, and its body does not hide that the client left', async (t) => {
  const { hub, port } = await serve(t, (hub, req, res) => {
    hub.connect(req, res, { channels: ['a'], methods: ['GET', 'POST'] })
  })
  const raw = await RawClient.open(port)
  raw.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n${'x'.repeat(300_000)}`)
  await raw.until((text) => text.includes('\nid: '))
  assert.equal(hub.stats().connections, 1)
  raw.destroy()
  await eventually(() => hub.stats().closes.client === 1)
})

test('a CORS preflight is answered, for the origins allowed', async (t) => {
  const { url } = await serve(t, (hub, req, res) => {
    hub.connect(req, res, {
      cors: { origin: ['https://a.example'], headers: ['Authorization'], maxAge: 90_500 },
    })
  })
  const ask = (origin: string) =>
    Client.open(url, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'last-event-id',
      },
    })
  const allowed = await ask('https://a.example')
  assert.equal(allowed.status, 204)
  assert.equal(allowed.headers['access-control-allow-origin'], 'https://a.example')
  assert.equal(allowed.headers['access-control-allow-headers'], 'Last-Event-ID, Cache-Control, Authorization')
  assert.equal(allowed.headers['access-control-max-age'], '90')
  assert.equal(allowed.headers.vary, 'Origin')
  const other = await ask('https://b.example')
  assert.equal(other.headers['access-control-allow-origin'], undefined)
  assert.equal(other.headers.vary, 'Origin')
})

test('HTTP/1.0 gets a stream without chunks', async (t) => {
  const { hub, port } = await serve(t, (hub, req, res) => {
    hub.connect(req, res, { channels: ['a'], framing: 'chunked' })
  })
  const raw = await RawClient.open(port)
  raw.write('GET / HTTP/1.0\r\n\r\n')
  await raw.until((text) => text.endsWith('\n\n'))
  await hub.publish('a', { data: 'x' })
  await raw.until((text) => text.endsWith('data: x\n\n'))
  assert.doesNotMatch(raw.text, /transfer-encoding/i)
  raw.destroy()
})

test('a pipelined request is answered 503 and leaves nothing registered; the stream before it goes on', async (t) => {
  const connections: Connection[] = []
  const { hub, port } = await serve(
    t,
    (hub, req, res) => {
      connections.push(hub.connect(req, res, { channels: ['a'] }))
    },
    { heartbeat: 200 },
  )
  const raw = await RawClient.open(port)
  raw.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(102))
  await eventually(() => connections.length >= 10)
  assert.equal(hub.stats().connections, 1)
  assert.equal(connections.filter(({ signal }) => !signal.aborted).length, 1)
  await hub.publish('a', { data: 'still here' })
  await raw.until((text) => text.endsWith('data: still here\n\n'))
  raw.destroy()
  // node:http no longer reads from a socket with so many answers waiting, so the client's FIN is not seen; the next
  // heartbeat finds out.
  await eventually(() => hub.stats().connections === 0)
  assert.equal(hub.stats().closes.client, 1)
})

test('a pipelined request gets its answer when what stands before it was finished', async (t) => {
  const { hub, port } = await serve(t, (hub, req, res) => {
    if (req.url === '/slow') setTimeout(() => res.end('slow'), 50)
    else hub.connect(req, res, { channels: ['a'] })
  })
  const raw = await RawClient.open(port)
  raw.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET /stream HTTP/1.1\r\nHost: x\r\n\r\n')
  await raw.until((text) => text.endsWith('open a connection of its own.\n'))
  assert.match(raw.text, /HTTP\/1\.1 503 Service Unavailable\r\nRetry-After: 1\r\n/)
  raw.destroy()
  assert.equal(hub.stats().opened, 0)
})

test('a client that left while the application was busy leaves nothing', async (t) => {
  let connection: Connection | undefined
  const { hub, port } = await serve(t, async (hub, req, res) => {
    await new Promise((resolve) => res.on('close', resolve))
    connection = hub.connect(req, res, { channels: ['a'] })
  })
  const raw = await RawClient.open(port)
  raw.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  raw.destroy()
  await eventually(() => connection !== undefined)
  assert.equal((await connection?.closed)?.reason, 'client')
  assert.equal(connection?.signal.aborted, true)
  assert.equal(connection?.send({ data: 'x' }), false)
  assert.equal(hub.stats().opened, 0)
})

test('misuse throws with a code before anything is written', async (t) => {
  const codes: unknown[] = []
  const { url } = await serve(t, (hub, req, res) => {
    const misuses: [() => void, string][] = [
      [() => hub.connect(req, res, { channels: 'a' as unknown as string[] }), 'SLUICE_BAD_OPTION'],
      [() => hub.connect(req, res, { channels: [''] }), 'SLUICE_BAD_CHANNEL'],
      [() => hub.connect(req, res, { channels: ['a', 5 as unknown as string] }), 'SLUICE_BAD_CHANNEL'],
      [() => hub.connect(req, res, { chanels: ['a'] } as object), 'SLUICE_BAD_OPTION'],
      [() => hub.connect(req, res, { retry: -1 }), 'SLUICE_BAD_OPTION'],
      [() => hub.connect(req, res, { filter: true as unknown as () => boolean }), 'SLUICE_BAD_OPTION'],
      [() => hub.connect(req, res, { onGap: 'ignore' as 'live' }), 'SLUICE_BAD_OPTION'],
      [() => hub.connect(req, res, { methods: ['GET, POST'] }), 'SLUICE_BAD_OPTION'],
      [() => hub.connect(req, res, { lastEventIdParam: '' }), 'SLUICE_BAD_OPTION'],
      [() => hub.connect(req, res, { framing: 'none' as 'close' }), 'SLUICE_BAD_OPTION'],
      [() => hub.connect(req, res, { cors: { credentials: true } }), 'SLUICE_BAD_OPTION'],
      [() => hub.connect(req, res, { cors: { origin: 5 as unknown as string } }), 'SLUICE_BAD_OPTION'],
      [() => hub.connect(req, res, { headers: 5 as unknown as Record<string, string> }), 'SLUICE_BAD_OPTION'],
      [() => hub.connect(req, res, { headers: { 'X-A': 'a\r\nX-B: b' } }), 'SLUICE_BAD_HEADER'],
      [() => hub.connect(req, res, { headers: { 'X A': 'a' } }), 'SLUICE_BAD_HEADER'],
      [() => hub.connect(req, res, { headers: { 'X-A': 5 as unknown as string } }), 'SLUICE_BAD_HEADER'],
    ]
    for (const [misuse, code] of misuses) {
      assert.throws(misuse, { name: 'SluiceError', code })
      codes.push(code)
    }
    assert.equal(res.headersSent, false)
    assert.equal(hub.stats().opened, 0)
    res.flushHeaders()
    assert.throws(() => hub.connect(req, res), { code: 'SLUICE_HEADERS_SENT' })
    res.end()
    Object.defineProperty(res, 'headersSent', { value: false })
    assert.throws(() => hub.connect(req, res), { code: 'SLUICE_RESPONSE_ENDED' })
    codes.push('done')
  })
  await (await Client.open(url)).ended()
  assert.equal(codes.at(-1), 'done')
})

/** A server behind compression as middleware. `forced`: it compresses everything, whatever the headers say. */
async function serveCompressed(t: TestContext, hub: Hub, forced: boolean): Promise<number> {
  const compress = compression(forced ? { threshold: 0, filter: () => true } : {})
  // Without no-transform, which would keep compression away.
  const headers = forced ? { 'Cache-Control': 'no-cache' } : {}
  const server = createServer((req, res) => {
    // Express' types; node:http's objects are what it works on.
    compress(req as never, res as never, () => void hub.connect(req, res, { channels: ['a'], headers }))
  })
  t.after(() => server.close())
  return listen(server)
}

test('a response wrapped by compression, told to compress, still streams every event at once', async (t) => {
  const hub = createHub()
  const port = await serveCompressed(t, hub, true)
  const client = await Client.open(`http://127.0.0.1:${port}/`, {
    headers: { 'accept-encoding': 'gzip' },
    paused: true,
  })
  assert.equal(client.headers['content-encoding'], 'gzip')
  assert.equal(client.headers['transfer-encoding'], 'chunked')
  const { createGunzip } = await import('node:zlib')
  let text = ''
  client.response.pipe(createGunzip()).on('data', (bytes: Buffer) => {
    text += bytes.toString()
  })
  for (let n = 1; n <= 50; n += 1) {
    await hub.publish('a', { data: `event ${n}` })
    await eventually(() => text.endsWith(`data: event ${n}\n\n`), `event ${n}`)
  }
  client.drop()
  await eventually(() => hub.stats().closes.client === 1)
})

test('a stalled client behind compression is held back and closed', async (t) => {
  const hub = createHub({ stallTimeout: 500, channelDefaults: { maxEvents: 10 } })
  const port = await serveCompressed(t, hub, true)
  const raw = await RawClient.open(port)
  raw.write('GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n')
  await raw.until((text) => text.includes('gzip'))
  raw.pause()
  const { randomBytes } = await import('node:crypto')
  for (let n = 0; n < 400 && hub.stats().closes.stalled === 0; n += 1) {
    void hub.publish('a', { data: randomBytes(60_000).toString('base64') })
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  await eventually(() => hub.stats().closes.stalled === 1)
  raw.destroy()
})

test('compression as it comes leaves a stream alone, for it must not be transformed', async (t) => {
  const hub = createHub()
  const port = await serveCompressed(t, hub, false)
  const client = await Client.open(`http://127.0.0.1:${port}/`, { headers: { 'accept-encoding': 'gzip' } })
  assert.equal(client.headers['content-encoding'], undefined)
  await hub.publish('a', { data: 1 })
  await client.count(1)
  await hub.close()
  await client.ended()
})

test('a client that disappears while it is being written to is closed once, without an uncaught error', async (t) => {
  const { hub, port } = await serve(t, (hub, req, res) => void hub.connect(req, res, { channels: ['a'] }))
  const sockets = Array.from({ length: 50 }, () => {
    const socket = connect(port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    socket.on('error', () => {})
    return socket
  })
  await eventually(() => hub.stats().connections === 50)
  for (const [n, socket] of sockets.entries()) {
    void hub.publish('a', { data: 'x'.repeat(10_000) })
    if (n % 2) socket.resetAndDestroy()
    else socket.destroy()
    if (n % 5 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await eventually(() => hub.stats().connections === 0)
  assert.equal(hub.stats().closes.client, 50)
})

test('a half-closed client that stops reading does not stay', async (t) => {
  const { hub, port } = await serve(t, (hub, req, res) => void hub.connect(req, res, { channels: ['a'] }), {
    stallTimeout: 300,
  })
  const raw = await RawClient.open(port, { allowHalfOpen: true })
  raw.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await eventually(() => hub.stats().connections === 1)
  raw.pause()
  for (let n = 0; n < 200; n += 1) void hub.publish('a', { data: 'x'.repeat(100_000) })
  raw.end()
  await eventually(() => hub.stats().connections === 0)
  raw.destroy()
})

test('hub.close lets the server close, and the process has nothing left to wait for', async () => {
  const hub = createHub()
  const server = createServer((req, res) => void hub.connect(req, res, { channels: ['a'] }))
  const port = await listen(server)
  const clients = await Promise.all(
    Array.from({ length: 20 }, () => Client.open(`http://127.0.0.1:${port}/`)),
  )
  void hub.publish('a', { data: 'last' })
  assert.deepEqual(await hub.close({ reconnectOver: 5_000 }), { ended: 20, destroyed: 0 })
  await new Promise((resolve) => server.close(resolve))
  for (const client of clients) {
    await client.ended()
    assert.deepEqual(client.data, ['last'])
    assert.ok(client.retry !== undefined && client.retry >= 0 && client.retry <= 5_000)
  }
  assert.ok(new Set(clients.map(({ retry }) => retry)).size > 10, 'spread')
})

test("the server's own idle timeout does not end a stream", async (t) => {
  const { hub, server, url } = await serve(
    t,
    (hub, req, res) => void hub.connect(req, res, { channels: ['a'] }),
  )
  server.setTimeout(200)
  const client = await Client.open(url)
  await new Promise((resolve) => setTimeout(resolve, 600))
  await hub.publish('a', { data: 'alive' })
  await client.count(1)
})

test('keep-alive probes start so that they run out before the next heartbeat', () => {
  assert.equal(keepAliveDelay(20_000), 8_000)
  assert.equal(keepAliveDelay(5_000), 1_000)
  assert.equal(keepAliveDelay(Infinity), 8_000)
})

test('a response that the application ends or destroys itself is closed once, and nothing is written after', async (t) => {
  const responses: ServerResponse[] = []
  const { hub, url } = await serve(t, (hub, req, res) => {
    responses.push(res)
    hub.connect(req, res, { channels: ['a'] })
  })
  const clients = await Promise.all([Client.open(url), Client.open(url)])
  responses[0]?.end()
  responses[1]?.destroy()
  for (let n = 0; n < 20; n += 1) {
    await hub.publish('a', { data: n })
    await new Promise((resolve) => setImmediate(resolve))
  }
  await eventually(() => hub.stats().connections === 0)
  assert.equal(hub.stats().closes.client, 2)
  for (const client of clients) await client.ended()
})

test('closing in the middle of everything leaves nothing: listeners, timers, entries', async (t) => {
  const { hub, server, url } = await serve(t, (hub, req, res) => {
    const connection = hub.connect(req, res, { channels: ['a', 'b'] })
    connection.send({ data: 'hello' })
    if (req.url === '/closing') connection.close()
    void connection.pipe(['x', 'y'])
  })
  for (let round = 0; round < 20; round += 1) {
    const clients = await Promise.all(
      Array.from({ length: 20 }, (_, n) => Client.open(url + (n % 3 ? '' : 'closing'))),
    )
    void hub.publish('a', { data: round })
    for (const [n, client] of clients.entries()) if (n % 2) client.drop()
    for (const client of clients) client.drop()
  }
  await eventually(() => hub.stats().connections === 0)
  const { opened, closes, channels } = hub.stats()
  assert.equal(opened, 400)
  assert.equal(
    Object.values(closes).reduce((sum, one) => sum + one),
    400,
  )
  assert.deepEqual({ ...channels }, {})
  let open = -1
  await eventually(() => {
    server.getConnections((_, count) => {
      open = count
    })
    return open === 0
  }, 'every socket of the server closed')
})

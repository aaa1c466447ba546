// Over TLS: certificates, HTTP/2 by ALPN, and how its streams end.

import assert from 'node:assert/strict'
import { createSecureServer, type ServerHttp2Stream } from 'node:http2'
import { createServer } from 'node:https'
import type { Server, Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { createHub } from '../../src/index.ts'
import { makeCertificate, openssl } from '../support/certificate.ts'
import { type Examined, examine } from '../support/doctor.ts'
import { need } from '../support/need.ts'
import { listen } from '../support/server.ts'

const STREAM = {
  ':status': 200,
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-store, no-transform',
}

async function over2(
  t: TestContext,
  speak: (stream: ServerHttp2Stream, cut: () => void) => void,
  settings: { allowHTTP1?: boolean; maxConcurrentStreams?: number } = {},
): Promise<Examined> {
  const { allowHTTP1 = true, maxConcurrentStreams } = settings
  const server = createSecureServer({
    ...makeCertificate(),
    allowHTTP1,
    ...(maxConcurrentStreams !== undefined && { settings: { maxConcurrentStreams } }),
  })
  server.on('stream', (stream) => {
    stream.on('error', () => {})
    speak(stream, () => {
      for (const socket of sockets) socket.destroy()
    })
  })
  server.on('request', (req, res) => {
    if (req.httpVersion === '2.0') return
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    res.write('data: 1\n\n')
  })
  server.on('sessionError', () => {})
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  const sessions = new Set<{ destroy(): void }>()
  server.on('session', (session) => sessions.add(session))
  const port = await listen(server as unknown as Server) // a tls.Server, whose types do not say that it is one
  t.after(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  const headers = ['--header', 'Connection: keep-alive', '--header', 'Host: named.example']
  return examine(`https://127.0.0.1:${port}/`, '--insecure', '--wait', '2', ...headers)
}

function dripping(stream: ServerHttp2Stream): void {
  stream.respond(STREAM)
  stream.write('retry: 2000\n\n')
  const timer = setInterval(() => stream.write('id: 1\ndata: 1\n\n'), 100)
  stream.on('close', () => clearInterval(timer))
}

describe('over TLS', { ...need('openssl', openssl), concurrency: 3, timeout: 60_000 }, () => {
  test('a certificate that is not trusted is an error; with --insecure a warning, and HTTP/1.1 alone one, too', async (t) => {
    const hub = createHub()
    const server = createServer(makeCertificate(), (req, res) => {
      hub.connect(req, res, { channels: ['a'] })
    })
    const port = await listen(server)
    t.after(async () => {
      await hub.close({ within: 0 })
      server.closeAllConnections()
      server.close()
    })
    const url = `https://127.0.0.1:${port}/`
    const [refused, taken, alone, wrong] = await Promise.all([
      examine(url, '--wait', '1'),
      examine(url, '--wait', '1', '--insecure'),
      examine(url, '--wait', '1', '--insecure', '--http1'),
      examine(url.replace('https', 'http'), '--wait', '1'),
    ])
    refused.says('certificate', 'error', /SELF_SIGNED/)
    assert.deepEqual(taken.faults, ['certificate', 'six-connections'])
    assert.deepEqual(alone.faults, ['certificate'])
    assert.ok(wrong.faults.length > 0)
  })

  test('HTTP/2: no note on six connections; resume, ids and the rest as over HTTP/1.1', async (t) => {
    const seen = await over2(t, dripping)
    seen.says('protocol', 'ok', /HTTP\/2\.0/)
    seen.says('six-connections', 'ok', /HTTP\/2/)
    seen.says('idle-timeout', 'ok', /we who left/)
    seen.says('retry', 'ok')
    seen.says('concurrency', 'ok')
    seen.says('last-event-id-unsafe', 'ok')
    assert.deepEqual(
      seen.faults.filter((code) => code !== 'certificate' && code !== 'resume'),
      [],
    )
  })

  test('HTTP/2 alone, with few streams', async (t) => {
    const seen = await over2(t, dripping, { allowHTTP1: false, maxConcurrentStreams: 10 })
    seen.says('h2-streams', 'warning', /10 streams/)
    seen.says('concurrency', 'info', /None of 7/)
  })

  test('HTTP/2: an end, a reset of the stream, a connection cut, and no answer', async (t) => {
    const after = (then: (stream: ServerHttp2Stream, cut: () => void) => void): Promise<Examined> =>
      over2(t, (stream, cut) => {
        dripping(stream)
        setTimeout(() => then(stream, cut), 500)
      })
    const [ended, reset, cut, silent] = await Promise.all([
      after((stream) => void stream.end()),
      after((stream) => void stream.destroy(new Error('a bug'))),
      after((_stream, cut) => cut()),
      over2(t, () => {}),
    ])
    ended.says('ends', 'warning', /in good order/)
    reset.says('cut', 'error', /INTERNAL_ERROR/)
    cut.says('cut', 'error')
    silent.says('no-response', 'error')
  })
})

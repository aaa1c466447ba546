// The classic mistakes of event stream servers, each made on purpose by a plain node:http server: one run of the
// doctor each, all at once, for most of a run is waiting.

import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createNetServer, type Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import compression from 'compression'
import { drip, type Examined, examine, mistaken, STREAM } from '../support/doctor.ts'
import { eventually, listen } from '../support/server.ts'

type Handler = (req: IncomingMessage, res: ServerResponse) => void

async function runs(t: TestContext, handler: Handler, ...argv: string[]): Promise<Examined> {
  const { url } = await mistaken(t, handler)
  return examine(url, '--wait', '2.5', ...argv)
}

/** A server with nothing to reproach it with, to begin from. */
const event = (n: number): string => `id: ${n}\ndata: ${n}\n\n`
const log = new Map<number, string>()

describe('mistakes', { concurrency: 4, timeout: 60_000 }, () => {
  test('a plain server that does it right: nothing worse than an info', async (t) => {
    const seen = await runs(t, (req, res) => {
      res.writeHead(200, STREAM)
      res.write('retry: 3000\n\n')
      let n = Number(req.headers['last-event-id'])
      if (!Number.isSafeInteger(n)) n = 100
      const send = (): void => {
        n += 1
        log.set(n, event(n))
        res.write(event(n))
      }
      if (req.headers['last-event-id'] !== undefined) for (let k = 0; k < 20; k += 1) send()
      const timer = setInterval(send, 200)
      res.on('close', () => clearInterval(timer))
    })
    assert.deepEqual(seen.faults, [])
    seen.says('retry', 'ok', /3000/)
    seen.says('ids', 'ok')
    seen.says('resume', 'ok', /all \d+ missed/)
    seen.says('concurrency', 'ok')
    seen.says('idle-timeout', 'ok', /we who left/)
    seen.says('six-connections', 'info')
    seen.says('held-back', 'ok')
  })

  test('a wrong content type', async (t) => {
    const seen = await runs(t, (_req, res) => {
      res.writeHead(200, { ...STREAM, 'content-type': 'application/json' })
      res.write('data: 1\n\n')
    })
    seen.says('content-type', 'error', /"application\/json"; the body begins "data: 1"/)
    assert.ok(seen.seen.main.watchedUntil < 2_000, 'it does not wait for events that nobody would get')
  })

  test('no content type, and a charset that is not UTF-8', async (t) => {
    const [none, latin] = await Promise.all([
      runs(t, (_req, res) => void res.writeHead(200).end('data: 1\n\n')),
      runs(t, (_req, res) => {
        res.writeHead(200, { ...STREAM, 'content-type': 'text/event-stream; charset=ISO-8859-1' })
        drip(res, 100, (n) => `data: ${n}\n\n`, 'data: 0\n\n')
      }),
    ])
    none.says('content-type', 'error', /no Content-Type/)
    latin.says('content-type', 'ok')
    latin.says('charset', 'warning', /ISO-8859-1/)
  })

  test('an HTML error page, and a page in place of the stream', async (t) => {
    const page = '<!doctype html><html><head><title> Service down\u001b[31m </title></head></html>'
    const [error, fallback] = await Promise.all([
      runs(t, (_req, res) => void res.writeHead(500, { 'content-type': 'text/html' }).end(page)),
      runs(t, (_req, res) => void res.writeHead(200, { 'content-type': 'text/html' }).end(page)),
    ])
    error.says('status', 'error', /500; a page with the title "Service down\\u001b\[31m"/)
    fallback.says('content-type', 'error', /title "Service down/)
  })

  test('204, 401, 429 with Retry-After, 502', async (t) => {
    const of = (status: number, headers = {}): Promise<Examined> =>
      runs(t, (_req, res) => void res.writeHead(status, headers).end())
    const [gone, auth, limit, gateway] = await Promise.all([
      of(204),
      of(401),
      of(429, { 'retry-after': '7' }),
      of(502),
    ])
    gone.says('status-204', 'warning')
    auth.says('status-auth', 'error', /401/)
    limit.says('status-limit', 'error', /429, Retry-After: "7"/)
    gateway.says('status-gateway', 'error', /502/)
  })

  test('a 301 to another origin is followed, without the headers of the user', async (t) => {
    const asked: IncomingMessage[] = []
    const other = await mistaken(t, (req, res) => {
      asked.push(req)
      res.writeHead(200, STREAM)
      drip(res, 100, (n) => event(n), 'retry: 3000\n\n')
    })
    const seen = await runs(
      t,
      (req, res) => {
        assert.equal(req.headers['x-secret'], 'yes')
        res.writeHead(301, { location: `${other.url}there` }).end()
      },
      '--header',
      'X-Secret: yes',
    )
    seen.says('redirect-cross-origin', 'warning', /301 .*there/)
    seen.says('status', 'ok')
    assert.equal(asked[0]?.url, '/there')
    assert.ok(asked.every(({ headers }) => headers['x-secret'] === undefined))
  })

  test('redirects within the origin, in a circle, and without a Location', async (t) => {
    const [within, circle, nowhere, odd] = await Promise.all([
      runs(t, (req, res) => {
        if (req.url === '/') res.writeHead(307, { location: '/events' }).end()
        else res.writeHead(200, STREAM).write('data: 1\n\n')
      }),
      runs(t, (_req, res) => void res.writeHead(302, { location: '/' }).end()),
      runs(t, (_req, res) => void res.writeHead(302).end()),
      runs(t, (_req, res) => void res.writeHead(308, { location: 'mailto:a@b.example' }).end()),
    ])
    within.says('redirect', 'info', /307 to "\/events"/)
    circle.says('redirect-broken', 'error', /more than 20/)
    nowhere.says('redirect-broken', 'error', /without a Location/)
    odd.says('redirect-broken', 'error', /mailto/)
  })

  test('headers that are not flushed before the first event, and never', async (t) => {
    const [late, never] = await Promise.all([
      runs(t, (_req, res) => {
        res.writeHead(200, STREAM)
        setTimeout(() => res.write('data: 1\n\n'), 1_300)
      }),
      runs(t, (_req, res) => void res.writeHead(200, STREAM)),
    ])
    late.says('headers-late', 'warning', /1\.[3-9] s .*came with them/)
    never.says('no-response', 'error', /no response headers within 2\.5 s/)
    never.silent('compression-holds')
  })

  test('headers at once, and then never a byte, or a late one', async (t) => {
    const [never, late] = await Promise.all([
      runs(t, (_req, res) => res.writeHead(200, STREAM).flushHeaders()),
      runs(t, (_req, res) => {
        res.writeHead(200, STREAM).flushHeaders()
        setTimeout(() => res.write('data: 1\n\n'), 1_300)
      }),
    ])
    never.says('first-byte-late', 'warning', /No byte .* cannot be told/)
    never.says('ids', 'info', /No event came/)
    late.says('first-byte-late', 'warning', /1\.[3-9] s from the headers/)
  })

  test('compression without flush holds events back; with flush they come; without it there is nothing to say', async (t) => {
    const middleware = compression({ threshold: 0 })
    const compressed =
      (flushes: boolean): Handler =>
      (req, res) =>
        // The middleware's types are Express's; it works on node:http.
        middleware(req as never, res as never, () => {
          res.writeHead(200, { ...STREAM, 'cache-control': 'no-cache, no-store' })
          drip(res, 100, (n) => {
            const flush = (res as ServerResponse & { flush(): void }).flush // added by the middleware
            if (flushes) setImmediate(() => flush.call(res))
            return event(n)
          })
        })
    const [held, flushed, plain] = await Promise.all([
      runs(t, compressed(false)),
      runs(t, compressed(true)),
      runs(t, (_req, res) => {
        res.writeHead(200, STREAM)
        drip(res, 100, event)
      }),
    ])
    held.says('compression-holds', 'error', /without (it|compression)/)
    flushed.says('compressed', 'info', /"(gzip|br|deflate)".*as they were sent/)
    flushed.says('no-transform', 'info')
    flushed.silent('compression-holds', 'held-back')
    plain.silent('compressed', 'compression-holds', 'no-transform')
  })

  test('a Content-Encoding that is not true, and one that nobody asked for', async (t) => {
    const [lie, unasked] = await Promise.all([
      runs(t, (_req, res) => {
        res.writeHead(200, { ...STREAM, 'content-encoding': 'gzip' })
        drip(res, 100, event, 'data: 0\n\n')
      }),
      runs(t, (_req, res) => {
        res.writeHead(200, { ...STREAM, 'content-encoding': 'zstd' })
        drip(res, 100, event, 'data: 0\n\n')
      }),
    ])
    lie.says('compression-unreadable', 'error')
    unasked.says('compression-unreadable', 'error', /zstd/)
  })

  test('a compressed stream that ends: what came last is counted, in every coding', async (t) => {
    const codings = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync, 'x-gzip': gzipSync }
    await Promise.all(
      Object.entries(codings).map(async ([coding, compress]) => {
        const seen = await runs(t, (_req, res) => {
          res.writeHead(200, { ...STREAM, 'content-encoding': coding })
          res.end(compress(`${event(1)}${event(2)}data: unfinished`))
        })
        seen.says('compressed', 'info', /2 blocks/)
        seen.says('ends', 'warning', /2 events/)
        seen.says('unterminated', 'warning', /16 bytes/)
      }),
    )
  })

  test('server.timeout kills streams in silence: after how long, and how', async (t) => {
    const { createServer } = await import('node:http')
    const server = createServer((_req, res) => {
      res.writeHead(200, STREAM)
      res.write(event(1))
    })
    server.timeout = 1_000
    const port = await listen(server)
    t.after(() => {
      server.closeAllConnections()
      server.close()
    })
    const seen = await examine(`http://127.0.0.1:${port}/`, '--wait', '4')
    seen.says(
      'idle-timeout',
      'error',
      /FIN in the middle of the body.* at an age of 1\.\d s, after 1\.\d s of silence and 1 event\. That is close to 1 s/,
    )
  })

  test('a stream that is reset, and one that is cut while events flow', async (t) => {
    const [reset, cut] = await Promise.all([
      runs(t, (req, res) => {
        res.writeHead(200, STREAM)
        drip(res, 100, event)
        setTimeout(() => req.socket.resetAndDestroy(), 650)
      }),
      runs(t, (req, res) => {
        res.writeHead(200, STREAM)
        drip(res, 100, event)
        setTimeout(() => req.socket.destroy(), 650)
      }),
    ])
    reset.says('cut', 'error', /with a reset \(RST\) \(ECONNRESET\) at an age of \d{3} ms/)
    cut.says('cut', 'error', /with a FIN in the middle/)
  })

  test('ends after each event, and refuses with a retry', async (t) => {
    const [polling, refusing, closing] = await Promise.all([
      runs(
        t,
        (_req, res) =>
          void res.writeHead(200, { ...STREAM, 'content-length': '19' }).end('id: 7\ndata: once!\n\n'),
      ),
      runs(t, (_req, res) => void res.writeHead(200, STREAM).end('retry: 5000\n\n')),
      runs(t, (_req, res) => {
        res.removeHeader('transfer-encoding')
        res.writeHead(200, { ...STREAM, connection: 'close' }).flushHeaders()
        res.end('data: 1\n\n')
      }),
    ])
    polling.says('ends', 'warning', /in good order at an age of \d+ ms, .* and 1 event\./)
    polling.says('content-length', 'error')
    polling.says('resume', 'warning', /1 event up to that id came again/)
    refusing.says('ends', 'info', /only said when to come back/)
    closing.says('ends', 'warning')
  })

  test('no ids, no retry, no Cache-Control', async (t) => {
    const seen = await runs(t, (_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' })
      drip(res, 100, (n) => `data: ${n}\n\n`)
    })
    seen.says('ids', 'warning', /none with an id/)
    seen.says('retry', 'info', /None/)
    seen.says('cache-control', 'warning', /no Cache-Control/)
    assert.equal(seen.seen.resume, undefined)
  })

  test('ids that mean nothing: the server begins anew, or goes on live', async (t) => {
    let shared = 1_000
    const [anew, live] = await Promise.all([
      runs(t, (_req, res) => {
        res.writeHead(200, STREAM)
        drip(res, 100, event)
      }),
      runs(t, (_req, res) => {
        res.writeHead(200, STREAM)
        drip(res, 100, () => {
          shared += 1
          return event(shared)
        })
      }),
    ])
    anew.says('resume', 'warning', /up to that id came again/)
    live.says('resume', 'warning', /0 of \d+ that were missed came again/)
  })

  test('a BOM, CRLF, a NUL id, an unknown field, an event without data, bytes that are not UTF-8, an unfinished block', async (t) => {
    const seen = await runs(t, (_req, res) => {
      res.writeHead(200, STREAM)
      res.write('\ufeffid: a\0b\r\ndata: 1\r\n\r\nData: 2\ndata:3\n\nevent: empty\n\n')
      res.write(Buffer.from('data: \xe9\n\ndata: never ended\n', 'latin1'))
    })
    seen.says('bom', 'warning')
    seen.says('line-ends', 'info', /3 lines ended in CRLF/)
    seen.says('nul-id', 'warning', /1 id/)
    seen.says('unknown-fields', 'warning', /1 line: "Data"/)
    seen.says('event-without-data', 'warning', /1 block/)
    seen.says('not-utf8', 'warning')
    seen.says('unterminated', 'warning', /18 bytes .* for the last/)
    assert.equal(seen.seen.main.body?.events, 3)
  })

  test('bare CR, an unfinished block at the end, and retries that are none', async (t) => {
    const [cr, seconds, never] = await Promise.all([
      runs(t, (_req, res) => {
        res.writeHead(200, STREAM)
        res.write('data: 1\r\rretry: 0\r\rdata: 2\r\r')
        setTimeout(() => res.end('data: x'), 300)
      }),
      runs(t, (_req, res) => {
        res.writeHead(200, STREAM)
        res.write('retry: 3s\n\n')
      }),
      runs(t, (_req, res) => {
        res.writeHead(200, STREAM)
        res.write('retry: 3600000\n\n')
      }),
    ])
    cr.says('line-ends', 'warning', /ended in a bare CR/)
    cr.says('unterminated', 'warning', /when the stream ended/)
    cr.says('retry', 'warning', /as fast as they can/)
    seconds.says('retry', 'warning', /not in digits/)
    never.says('retry', 'warning', /stay away/)
  })

  test('a Last-Event-ID that breaks the server', async (t) => {
    const seen = await runs(t, (req, res) => {
      const id = req.headers['last-event-id']
      if (id !== undefined && !/^\d+$/.test(String(id))) {
        if (String(id).length > 100) req.socket.destroy()
        else res.writeHead(500, { 'content-type': 'text/html' }).end('<title>SyntaxError</title>')
        return
      }
      if (id !== undefined) return void res.writeHead(410).end()
      res.writeHead(200, STREAM)
      drip(res, 100, event)
    })
    seen.says(
      'last-event-id-unsafe',
      'warning',
      /never gave: 500 "text\/html"; with a malformed id of 1 KB: no answer \(ECONNRESET\)/,
    )
    seen.says('resume-refused', 'error', /410/)
  })

  test('a cap of connections per address', async (t) => {
    let open = 0
    const seen = await runs(t, (_req, res) => {
      if (open >= 4) return void res.writeHead(429).end()
      open += 1
      res.on('close', () => {
        open -= 1
      })
      res.writeHead(200, STREAM)
      drip(res, 100, event)
    })
    seen.says('concurrency', 'warning', /3 of 7 .* with other statuses: 4 × 429/)
  })

  test('out of a cache', async (t) => {
    const seen = await runs(t, (_req, res) => {
      res.writeHead(200, { ...STREAM, age: '311', 'x-cache': 'Hit from somewhere' })
      drip(res, 100, event)
    })
    seen.says('cached', 'error', /Age: 311 s/)
  })

  test('CORS: none, of another origin, with a star, and as it should be', async (t) => {
    const answering = (headers: Record<string, string>, allow = ''): Promise<Examined> =>
      runs(
        t,
        (req, res) => {
          if (req.method === 'OPTIONS') {
            assert.equal(req.headers['access-control-request-headers'], 'last-event-id')
            return void res.writeHead(204, { ...headers, 'access-control-allow-headers': allow }).end()
          }
          assert.equal(req.headers.origin, 'https://app.example')
          res.writeHead(200, { ...STREAM, ...headers })
          drip(res, 100, event)
        },
        ...['--origin', 'https://app.example', '--header', 'Cookie: a=1'],
      )
    const [none, other, star, right] = await Promise.all([
      answering({}),
      answering({ 'access-control-allow-origin': 'https://other.example' }),
      answering({ 'access-control-allow-origin': '*' }),
      answering(
        {
          'access-control-allow-origin': 'https://app.example',
          'access-control-allow-credentials': 'true',
          vary: 'Origin',
        },
        'Last-Event-ID',
      ),
    ])
    none.says('cors', 'error', /No Access-Control-Allow-Origin/)
    other.says('cors', 'error', /other\.example/)
    star.says('cors', 'ok')
    star.says('cors-credentials', 'warning', /is \*/)
    star.says('cors-preflight', 'info')
    right.says('cors-preflight', 'ok')
    right.silent('cors', 'cors-credentials', 'cors-preflight')
  })

  test('heartbeats: their interval, and several at one moment', async (t) => {
    const [regular, piled] = await Promise.all([
      runs(t, (_req, res) => {
        res.writeHead(200, STREAM)
        drip(res, 600, () => ':\n\n', 'data: 0\n\n')
      }),
      runs(t, (_req, res) => {
        res.writeHead(200, STREAM)
        drip(res, 700, () => ': ping\n\n: ping\n\n: ping\n\n', 'data: 0\n\n')
      }),
    ])
    regular.says('heartbeat', 'ok', /after [56]\d\d ms of silence \(median of [34]\)/)
    piled.says('held-back', 'error', /up to 3 heartbeats/)
  })

  test('clumps that may be as published, and clumps that betray themselves by their times', async (t) => {
    const [maybe, surely] = await Promise.all([
      runs(t, (_req, res) => {
        res.writeHead(200, STREAM)
        drip(res, 700, (n) => event(3 * n) + event(3 * n + 1) + event(3 * n + 2), event(0))
      }),
      runs(t, (_req, res) => {
        res.writeHead(200, STREAM)
        const stamped = (ago: number): string => `data: {"at":${Date.now() - ago}}\n\n`
        drip(res, 700, () => stamped(600) + stamped(400) + stamped(200) + stamped(0), 'data: 0\n\n')
      }),
    ])
    maybe.says('clumps', 'info', /some 3 at a time, 6\d\d ms|7\d\d ms apart/)
    maybe.silent('held-back')
    surely.says('held-back', 'error', /carry times that are up to 600 ms apart/)
  })

  test('nobody listens, and what is not HTTP', async (t) => {
    const raw = async (speak: (socket: Socket) => void): Promise<Examined> => {
      const server = createNetServer((socket) => {
        socket.on('error', () => {})
        speak(socket)
      })
      const port = await listen(server)
      const open = new Set<Socket>()
      server.on('connection', (socket) => open.add(socket))
      t.after(() => {
        for (const socket of open) socket.destroy()
        server.close()
      })
      return examine(`http://127.0.0.1:${port}/`, '--wait', '2.5')
    }
    const closed = createNetServer()
    const port = await listen(closed)
    await new Promise((resolve) => closed.close(resolve))
    const [nobody, rubbish, mute, old] = await Promise.all([
      examine(`http://127.0.0.1:${port}/`),
      raw((socket) => void socket.write('SSH-2.0-OpenSSH_9.2\r\n')),
      raw((socket) => socket.end()),
      raw(
        (socket) =>
          void socket.write('HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n'),
      ),
    ])
    nobody.says('unreachable', 'error', /ECONNREFUSED/)
    rubbish.says('bad-response', 'error', /HPE_/)
    mute.says('no-response', 'error', /closed/)
    old.says('http-1.0', 'warning')
    old.says('protocol', 'ok', /HTTP\/1\.0, the body delimited by the connection/)
  })
})

test('a run leaves no connection open', async (t) => {
  const open = new Set<Socket>()
  const server = createNetServer((socket) => {
    open.add(socket)
    socket.resume()
    socket.on('error', () => {})
    socket.on('close', () => open.delete(socket))
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid: 1\ndata: 1\n\n')
  })
  const port = await listen(server)
  t.after(() => server.close())
  await examine(`http://127.0.0.1:${port}/`, '--wait', '1')
  await eventually(() => open.size === 0)
})

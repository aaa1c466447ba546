// nginx and HAProxy, configured wrongly on purpose, each beside its cure, in front of the same server.

import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { describe, type TestContext, test } from 'node:test'
import { drip, type Examined, examine, mistaken, STREAM, weighty } from '../support/doctor.ts'
import { haproxy, haproxyProxy } from '../support/haproxy.ts'
import { need } from '../support/need.ts'
import { nginx, nginxProxy } from '../support/nginx.ts'
import { serve } from '../support/server.ts'

type Handler = (req: IncomingMessage, res: ServerResponse) => void

/** Some 5 KB a second in twenty events: a 4k buffer of nginx's is full every 0.8 s. */
const steady: Handler = (_req, res) => {
  res.writeHead(200, { ...STREAM, 'x-accel-buffering': 'no' })
  drip(res, 50, (n) => weighty(n))
}

/** One event, then silence. */
const quiet: Handler = (_req, res) => {
  res.writeHead(200, { ...STREAM, 'x-accel-buffering': 'no' })
  res.write(weighty(1))
}

/** One event, and an end in good order: what a cache can keep. */
let made = 0
const short: Handler = (_req, res) => {
  made += 1
  res.writeHead(200, { ...STREAM, 'x-accel-buffering': 'no' })
  res.write(weighty(made))
  setTimeout(() => res.end(), 20)
}

// nginx asks in HTTP/1.0 unless told otherwise, and then holds back what has no length; chunks it passes on as they come.
const BASE = 'proxy_http_version 1.1; proxy_set_header Connection "";'
const BUFFERS =
  'proxy_buffering on; proxy_ignore_headers X-Accel-Buffering; proxy_buffer_size 4k; proxy_buffers 8 4k; proxy_busy_buffers_size 8k;'

async function throughNginx(
  t: TestContext,
  handler: Handler,
  directives: string,
  wait = '5',
): Promise<Examined> {
  const { port } = await mistaken(t, handler)
  const proxy = await nginxProxy(t, port, directives)
  return examine(`http://127.0.0.1:${proxy.port}/`, '--wait', wait)
}

async function throughHaproxy(
  t: TestContext,
  handler: Handler,
  directives: string,
  wait = '5',
): Promise<Examined> {
  const { port } = await mistaken(t, handler)
  return examine(`http://127.0.0.1:${await haproxyProxy(t, port, directives)}/`, '--wait', wait)
}

describe('nginx', { ...need('nginx', nginx), concurrency: 3, timeout: 90_000 }, () => {
  test('proxy_buffering on, with X-Accel-Buffering ignored, and off', async (t) => {
    const [wrong, cured] = await Promise.all([
      throughNginx(t, steady, BUFFERS),
      throughNginx(t, steady, 'proxy_buffering off;'),
    ])
    t.diagnostic(wrong.of('held-back')?.evidence ?? '')
    wrong.says(
      'held-back',
      'error',
      /arrived at one moment carry times that are up to .*small blocks were cut in two/,
    )
    cured.says('held-back', 'ok')
    cured.silent('headers-late', 'first-byte-late', 'no-response')
  })

  test('proxy_buffering on in front of a quiet stream: not even headers; off: at once', async (t) => {
    const [wrong, cured] = await Promise.all([
      throughNginx(t, quiet, BUFFERS, '3'),
      throughNginx(t, quiet, 'proxy_buffering off;', '3'),
    ])
    assert.ok(
      wrong.faults.includes('no-response') || wrong.faults.includes('first-byte-late'),
      wrong.faults.join(),
    )
    cured.silent('no-response', 'headers-late', 'first-byte-late')
  })

  test('gzip for text/event-stream: compressed as it comes, held back with buffering on, and gone without', async (t) => {
    const gzip = 'gzip on; gzip_types text/event-stream; gzip_min_length 0; gzip_proxied any;'
    const [flowing, held, cured] = await Promise.all([
      throughNginx(t, steady, `proxy_buffering off; ${gzip}`),
      throughNginx(t, steady, BUFFERS + gzip),
      throughNginx(t, steady, 'proxy_buffering off; gzip on; gzip_proxied any;'),
    ])
    flowing.says('compressed', 'info', /as they were sent/)
    flowing.silent('held-back', 'compression-holds')
    assert.ok(held.faults.includes('compression-holds'), JSON.stringify(held.findings))
    cured.silent('compressed', 'compression-holds', 'held-back')
  })

  test('proxy_read_timeout 3s, and a minute', async (t) => {
    const [wrong, cured] = await Promise.all([
      throughNginx(t, quiet, 'proxy_read_timeout 3s;'),
      throughNginx(t, quiet, 'proxy_read_timeout 60s;'),
    ])
    wrong.says('idle-timeout', 'error', /after (2\.[6-9]|3\.[0-4]) s of silence/)
    cured.says('idle-timeout', 'ok', /we who left/)
  })

  test('proxy_cache with Cache-Control ignored: somebody’s old stream; and off', async (t) => {
    const cache = `proxy_cache doctor; proxy_cache_valid 200 10m; proxy_ignore_headers Cache-Control X-Accel-Buffering Expires; add_header X-Cache-Status $upstream_cache_status;`
    const { port } = await mistaken(t, short)
    const proxy = await nginxProxy(
      t,
      port,
      BASE + cache,
      'proxy_cache_path FOLDER/cache keys_zone=doctor:1m;',
    )
    const url = `http://127.0.0.1:${proxy.port}/`
    await examine(url, '--wait', '1')
    const wrong = await examine(url, '--wait', '1')
    wrong.says('cached', 'error', /x-cache-status: "HIT"/)
    const plain = await nginxProxy(t, port, `${BASE} proxy_buffering off; add_header X-Cache-Status none;`)
    const cured = await examine(`http://127.0.0.1:${plain.port}/`, '--wait', '1')
    cured.silent('cached')
  })

  test('proxy_cache_lock lets streams wait for each other, and limit_conn turns them away', async (t) => {
    const locked = async (): Promise<Examined> => {
      const { port } = await mistaken(t, steady)
      const lock =
        'proxy_cache doctor; proxy_cache_valid 200 10m; proxy_cache_lock on; proxy_ignore_headers Cache-Control X-Accel-Buffering;'
      const path = 'proxy_cache_path FOLDER/cache keys_zone=doctor:1m;'
      const proxy = await nginxProxy(t, port, BASE + lock, path)
      return examine(`http://127.0.0.1:${proxy.port}/`, '--wait', '3')
    }
    const limited = async (): Promise<Examined> => {
      const { port } = await mistaken(t, steady)
      const proxy = await nginxProxy(
        t,
        port,
        `${BASE} proxy_buffering off; limit_conn per_address 5;`,
        'limit_conn_zone $binary_remote_addr zone=per_address:1m;',
      )
      return examine(`http://127.0.0.1:${proxy.port}/`, '--wait', '3')
    }
    const [lock, limit] = await Promise.all([locked(), limited()])
    lock.says('concurrency', 'warning', /0 of 7 .*without an answer within 2\.5 s: 7/)
    limit.says('concurrency', 'warning', /4 of 7 .*3 × 503/)
  })

  test('Sluice behind buffering nginx, which obeys its X-Accel-Buffering: nothing worse than an info', async (t) => {
    const { hub, port } = await serve(t, (one, req, res) => one.connect(req, res, { channels: ['a'] }), {
      heartbeat: 700,
    })
    const timer = setInterval(() => void hub.publish('a', { data: { at: Date.now() } }), 1_600)
    t.after(() => clearInterval(timer))
    const proxy = await nginxProxy(t, port, `proxy_buffering on;`)
    const seen = await examine(`http://127.0.0.1:${proxy.port}/`, '--wait', '5')
    assert.deepEqual(seen.faults, [])
    seen.says('heartbeat', 'ok')
  })
})

describe('HAProxy', { ...need('HAProxy', haproxy), concurrency: 3, timeout: 60_000 }, () => {
  test('timeout server 3s, and a minute', async (t) => {
    const [wrong, cured] = await Promise.all([
      throughHaproxy(t, quiet, 'timeout server 3s'),
      throughHaproxy(t, quiet, 'timeout server 60s'),
    ])
    wrong.says('idle-timeout', 'error', /after (2\.[6-9]|3\.[0-4]) s of silence/)
    cured.says('idle-timeout', 'ok', /we who left/)
  })

  test('timeout tunnel neither cuts a stream nor saves one: it is for upgraded connections', async (t) => {
    const [spared, cut] = await Promise.all([
      throughHaproxy(t, quiet, 'timeout tunnel 2s'),
      throughHaproxy(t, quiet, 'timeout server 3s\ntimeout tunnel 1h'),
    ])
    spared.says('idle-timeout', 'ok')
    cut.says('idle-timeout', 'error', /FIN in the middle/)
  })

  test('compression for text/event-stream, and not', async (t) => {
    const [wrong, cured] = await Promise.all([
      throughHaproxy(
        t,
        (_req, res) => {
          // HAProxy obeys no-transform.
          res.writeHead(200, { ...STREAM, 'cache-control': 'no-cache' })
          drip(res, 50, (n) => weighty(n))
        },
        'compression algo gzip\ncompression type text/event-stream',
        '4',
      ),
      throughHaproxy(t, steady, 'compression algo gzip\ncompression type text/event-stream', '4'),
    ])
    assert.ok(
      ['compressed', 'compression-holds'].some((code) =>
        wrong.findings.some((one) => one.code === code && one.severity !== 'ok'),
      ),
    )
    t.diagnostic(wrong.findings.find(({ code }) => code.startsWith('compress'))?.evidence ?? '')
    cured.silent('compressed', 'compression-holds')
  })

  test('a heartbeat below its timeout cures it: Sluice behind timeout server 3s', async (t) => {
    const { port } = await serve(t, (hub, req, res) => hub.connect(req, res, { channels: ['a'] }), {
      proxyIdleTimeout: 3_000,
    })
    const seen = await examine(
      `http://127.0.0.1:${await haproxyProxy(t, port, 'timeout server 3s')}/`,
      '--wait',
      '5',
    )
    assert.deepEqual(seen.faults, [])
    seen.says('heartbeat', 'ok', /after 1\.[2-9] s/)
    seen.says('idle-timeout', 'ok')
  })
})

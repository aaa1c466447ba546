// Request heads from chance over real sockets: each is answered or cut, nothing throws, and afterwards nothing is left.

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { createHub } from '../../src/index.ts'
import { listen } from '../support/server.ts'
import { mutate, pick, type Random, soup } from './random.ts'
import type { Target } from './target.ts'

const text = (...list: string[]): Uint8Array[] => list.map((one) => Buffer.from(one, 'latin1'))
const LINES = text(
  'Host: x\r\n',
  'Last-Event-ID: 1\r\n',
  'Last-Event-ID: \xff\xc3\xa9\r\n',
  'last-event-id:\r\n',
  `Last-Event-ID: ${'9'.repeat(3_000)}\r\n`,
  'Last-Event-ID: 0123456789-99999999999999999\r\n',
  'Accept: text/event-stream\r\n',
  'Origin: http://evil.example\r\n',
  'Origin: null\r\n',
  'Connection: close\r\n',
  'Connection: upgrade\r\nUpgrade: websocket\r\n',
  'Expect: 100-continue\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Content-Length: 3\r\n',
  'Cookie: a=b\r\n',
  'X-Varnish: 1\r\n',
  'Accept-Encoding: gzip, br\r\n',
)
const STARTS = text(
  'GET / HTTP/1.1\r\n',
  'GET /?after=1&after=2 HTTP/1.1\r\n',
  'GET /?after=%ff%00%0a HTTP/1.1\r\n',
  'GET / HTTP/1.0\r\n',
  'HEAD / HTTP/1.1\r\n',
  'OPTIONS * HTTP/1.1\r\n',
  'POST / HTTP/1.1\r\n',
  'DELETE / HTTP/1.1\r\n',
  'GET http://other/ HTTP/1.1\r\n',
)
const PIECES = [...LINES, ...STARTS, ...text('\r\n', '\r\n\r\n', '\0', ': ', 'abc', '0\r\n\r\n')]

const hub = createHub({ limits: { connections: 50 }, stallTimeout: 1_000 })
const failures: unknown[] = []
hub.on('error', (error) => failures.push(error))
const server = createServer((req, res) => {
  try {
    hub.connect(req, res, {
      channels: ['a'],
      lastEventIdParam: 'after',
      cors: { origin: () => true, credentials: true },
    })
  } catch (error) {
    failures.push(error)
    res.destroy()
  }
})
let port: Promise<number> | undefined

export const requests: Target = {
  name: 'requests',
  input: (random: Random, corpus) =>
    corpus.length > 0 && random() < 0.4
      ? mutate(random, corpus[Math.floor(random() * corpus.length)] as Uint8Array, PIECES) // within the list
      : Buffer.concat([
          pick(random, STARTS),
          soup(random, LINES, 6),
          Buffer.from('\r\n'),
          soup(random, PIECES, random() < 0.3 ? 6 : 0),
        ]),
  async check(input) {
    port ??= listen(server)
    const socket = connect(await port, '127.0.0.1')
    const answered = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), 3_000)
      const done = (): void => {
        clearTimeout(timer)
        resolve(true)
      }
      socket.on('error', done)
      socket.on('close', done)
      socket.once('data', done)
      socket.end(input)
    })
    socket.destroy()
    const whole = Buffer.from(input).includes('\r\n\r\n')
    assert.ok(answered || !whole, 'a whole head was neither answered nor cut')
    const end = performance.now() + 5_000
    while (hub.stats().connections > 0) {
      assert.ok(performance.now() < end, `${hub.stats().connections} connections are left`)
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.deepEqual(failures.splice(0), [])
    const { opened, closes } = hub.stats()
    assert.equal(
      Object.values(closes).reduce((sum, one) => sum + one, 0),
      opened,
    )
  },
  async close() {
    await hub.close({ within: 0 })
    server.closeAllConnections()
    server.close()
  },
}

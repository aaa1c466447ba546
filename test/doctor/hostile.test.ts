// Servers that mean harm, or do it: the doctor ends in time, holds little, and leaves nothing open.

import assert from 'node:assert/strict'
import { createServer as createNetServer, type Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { gzipSync } from 'node:zlib'
import { readOptions } from '../../src/doctor/options.ts'
import { probe } from '../../src/doctor/probe.ts'
import { type Examined, examine, judged, mistaken, STREAM } from '../support/doctor.ts'
import { eventually, listen } from '../support/server.ts'

/** A server of bytes; `open` holds what has not been closed by its client. */
async function raw(
  t: TestContext,
  speak: (socket: Socket) => void,
): Promise<{ url: string; open: Set<Socket> }> {
  const open = new Set<Socket>()
  const server = createNetServer((socket) => {
    open.add(socket)
    socket.resume()
    socket.on('error', () => {})
    socket.on('close', () => open.delete(socket))
    speak(socket)
  })
  const port = await listen(server)
  t.after(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  return { url: `http://127.0.0.1:${port}/`, open }
}

async function bounded(t: TestContext, speak: (socket: Socket) => void): Promise<Examined> {
  const { url, open } = await raw(t, speak)
  const start = performance.now()
  const seen = await examine(url, '--wait', '2')
  assert.ok(performance.now() - start < 10_000, `${performance.now() - start} ms`)
  await eventually(() => open.size === 0)
  return seen
}

/** A server that writes a head and then one piece for ever, as fast as it is taken: in a thread of its own. */
async function pouring(t: TestContext, head: string, piece: string): Promise<Examined> {
  const worker = new Worker(
    `const { parentPort, workerData: { head, piece } } = require('node:worker_threads')
    const server = require('node:net').createServer((socket) => {
      socket.on('error', () => {})
      socket.resume()
      const more = () => { while (!socket.destroyed && socket.write(piece)); }
      socket.on('drain', more)
      socket.write(head)
      more()
    })
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))`,
    { eval: true, workerData: { head, piece } },
  )
  t.after(() => worker.terminate())
  const port = await new Promise<number>((resolve) => worker.once('message', resolve))
  const start = performance.now()
  const seen = await examine(`http://127.0.0.1:${port}/`, '--wait', '20')
  assert.ok(performance.now() - start < 25_000, `${performance.now() - start} ms`)
  return seen
}

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n'

test('gigabytes in one event, and in many', { timeout: 60_000 }, async (t) => {
  const before = process.memoryUsage().rss
  const one = await pouring(t, `${HEAD}\r\ndata: `, 'x'.repeat(65_536))
  const many = await pouring(t, `${HEAD}\r\n`, 'data: 1\n\n'.repeat(8_000))
  one.says('too-large', 'error', /4 MiB/)
  many.says('too-large', 'info', /16\.\d MiB/)
  const grown = process.memoryUsage().rss - before
  t.diagnostic(`grew by ${Math.round(grown / 1_048_576)} MiB`)
  assert.ok(grown < 150 * 1_048_576)
})

describe('hostile servers', { concurrency: 3, timeout: 60_000 }, () => {
  test('headers without end, fast', async (t) => {
    const line = `X-${'a'.repeat(500)}: ${'b'.repeat(500)}\r\n`
    const seen = await pouring(t, 'HTTP/1.1 200 OK\r\n', line)
    seen.says('bad-response', 'error', /HPE_HEADER_OVERFLOW/)
  })

  test('headers without end, in drips', async (t) => {
    const seen = await bounded(t, (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n')
      const timer = setInterval(() => socket.write('X-A: b\r\n'), 50)
      socket.on('close', () => clearInterval(timer))
    })
    seen.says('no-response', 'error')
  })

  test('no answer at all', async (t) => {
    const seen = await bounded(t, () => {})
    seen.says('no-response', 'error', /within 2\.0 s/)
  })

  test('interim responses without end', async (t) => {
    const seen = await bounded(t, (socket) => {
      const timer = setInterval(() => socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'), 10)
      socket.on('close', () => clearInterval(timer))
    })
    seen.says('no-response', 'error')
  })

  test('a switch of protocols that nobody asked for', async (t) => {
    const seen = await bounded(
      t,
      (socket) =>
        void socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'),
    )
    assert.ok(seen.faults.length > 0, JSON.stringify(seen.findings))
  })

  test('a byte now and then', async (t) => {
    const seen = await bounded(t, (socket) => {
      socket.write(`${HEAD}\r\n`)
      const timer = setInterval(() => socket.write('d'), 20)
      socket.on('close', () => clearInterval(timer))
    })
    seen.says('status', 'ok')
    assert.equal(seen.seen.main.body?.blockCount, 0)
  })

  test('a compressed bomb', async (t) => {
    const bomb = gzipSync(Buffer.alloc(200 * 1_048_576, `data: ${'x'.repeat(1_000)}\n\n`))
    const seen = await bounded(t, (socket) => {
      socket.write(`${HEAD}Content-Encoding: gzip\r\n\r\n`)
      socket.write(bomb)
    })
    seen.says('too-large', 'info', /16\.\d MiB/)
  })

  test('redirects, each of them slow, without end', async (t) => {
    const { url } = await mistaken(t, (_req, res) => {
      setTimeout(() => res.writeHead(302, { location: `/${Math.random()}` }).end(), 700)
    })
    const start = performance.now()
    const seen = await examine(url, '--wait', '2')
    assert.ok(performance.now() - start < 6_000)
    seen.says('redirect-broken', 'error', /when the time was up/)
  })

  test('an id that no header can carry is not sent back', async (t) => {
    const { url } = await mistaken(t, (_req, res) => {
      res.writeHead(200, STREAM)
      res.write('id: a\x01\x7f\ndata: 1\n\nid: 漢字 é\ndata: 2\n\n')
    })
    const seen = await examine(url, '--wait', '1')
    assert.equal(seen.seen.resume?.id, '漢字 é')
  })
})

test('a signal ends it at any moment, with what it knows by then', { timeout: 60_000 }, async (t) => {
  const { url, open } = await raw(t, (socket) => {
    socket.write(`${HEAD}\r\n`)
    const timer = setInterval(() => socket.write('id: 1\ndata: 1\n\n'), 20)
    socket.on('close', () => clearInterval(timer))
  })
  const options = readOptions([url, '--wait', '60'])
  assert.ok(options !== 'help')
  for (const after of [0, 1, 5, 20, 100, 700]) {
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(), after)
    const start = performance.now()
    const seen = judged(await probe(options, controller.signal))
    clearTimeout(timer)
    assert.ok(performance.now() - start < after + 2_000)
    assert.equal(seen.seen.interrupted, true)
    seen.says('interrupted', 'info')
    await eventually(() => open.size === 0)
  }
  const aborted = AbortSignal.abort()
  assert.equal((await probe(options, aborted)).interrupted, true)
})

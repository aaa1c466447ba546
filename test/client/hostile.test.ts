// Servers that do not answer, do not stop, break off, or crawl; and readers that are the slow ones.

import assert from 'node:assert/strict'
import { createServer as createNetServer } from 'node:net'
import { test } from 'node:test'
import { createGzip } from 'node:zlib'
import { connect, type Retry, SluiceError } from '../../src/client.ts'
import { all, answering, stream, take, turned } from '../support/fetch-client.ts'
import { eventually, listen } from '../support/server.ts'

const noted = (): { retries: Retry[]; onRetry: (retry: Retry) => void } => {
  const retries: Retry[] = []
  return { retries, onRetry: (retry) => void retries.push(retry) }
}

test('a server that never answers is given up after connectTimeout, and tried again', async (t) => {
  const { url, requests } = await answering(t, (_req, res, n) => {
    if (n === 1) stream(res, 'data: x\n\n')
  })
  const { retries, onRetry } = noted()
  const { stream: events, clock } = turned(t, url, { onRetry, connectTimeout: 7_000 })
  await eventually(() => requests.length === 1)
  clock.advance(6_999)
  assert.equal(retries.length, 0)
  clock.advance(1)
  await eventually(() => retries.length === 1)
  assert.equal(retries[0]?.cause.code, 'SLUICE_CONNECT_TIMEOUT')
  await eventually(() => requests[0]?.socket.destroyed === true)
  clock.advance(retries[0]?.delay ?? 0)
  await take(events, 1)
})

test('a headers function that never settles, and a fetch deaf to its signal, are given up as well', async (t) => {
  const { retries, onRetry } = noted()
  const never = new Promise<never>(() => {})
  const headers = turned(t, 'http://127.0.0.1:9/', { onRetry, headers: () => never })
  await eventually(() => headers.clock.timers === 1)
  headers.clock.advance(30_000)
  await eventually(() => retries.length === 1)
  let cancelled = false
  let answer = (_response: Response): void => {}
  const deaf = turned(t, 'http://127.0.0.1:9/', {
    onRetry,
    fetch: () =>
      new Promise((resolve) => {
        answer = resolve
      }),
  })
  await eventually(() => deaf.clock.timers === 1)
  deaf.clock.advance(30_000)
  await eventually(() => retries.length === 2)
  const cancel = (): void => {
    cancelled = true
  }
  answer(new Response(new ReadableStream({ cancel })))
  await eventually(() => cancelled)
})

test('a refusal whose body does not end is told in time', async (t) => {
  const { url } = await answering(t, (_req, res) => void res.writeHead(404).write('no'))
  let answered = false
  const { stream: events, clock } = turned(t, url, {
    fetch: async (input, init) => {
      const response = await fetch(input, init)
      answered = true
      return response
    },
  })
  const outcome = all(events)
  await eventually(() => answered)
  await turns(5)
  assert.equal(events.state, 'connecting')
  clock.advance(30_000)
  await assert.rejects(outcome, (error) => error instanceof SluiceError && error.code === 'SLUICE_REFUSED')
})

test('a line without an end stops at the bound, for it would come again with every attempt', async (t) => {
  let written = 0
  const { url, requests } = await answering(t, (_req, res) => {
    stream(res, 'id: 1\ndata: before\n\n')
    const more = (): void => {
      if (res.destroyed || res.socket?.destroyed !== false) return
      written += 65_536
      // In a turn of its own: on Node 26 a response whose socket has gone calls back at once, again and again.
      res.write('x'.repeat(65_536), (error) => {
        if (!error) setImmediate(more)
      })
    }
    more()
  })
  const events = connect(url, { maxBufferBytes: 1_000_000 })
  assert.equal((await take(events, 1))[0]?.data, 'before')
  await assert.rejects(all(events), { code: 'SLUICE_DECODER_OVERFLOW' })
  await eventually(() => requests[0]?.socket.destroyed === true)
  assert.ok(written < 20_000_000, `${written} bytes were taken`)
})

test('a reset in the middle of a block discards the block, and the next attempt brings it whole', async (t) => {
  const { url, requests } = await answering(t, (_req, res, n) => {
    if (n > 1) return void res.writeHead(204).end()
    stream(res, n === 0 ? 'id: 1\ndata: one\n\nid: 2\ndata: tw' : 'id: 2\ndata: two\n\n')
    if (n === 1) return void res.end()
  })
  const { retries, onRetry } = noted()
  const events = connect(url, { onRetry, backoff: { base: 0, cap: 0 } })
  assert.equal((await take(events, 1))[0]?.data, 'one')
  requests[0]?.socket.resetAndDestroy()
  assert.deepEqual(
    (await all(events)).map(({ data }) => data),
    ['two'],
  )
  assert.equal(requests[1]?.headers['last-event-id'], '1')
  assert.deepEqual(
    retries.map(({ cause }) => cause.code),
    ['SLUICE_NETWORK', 'SLUICE_STREAM_ENDED'],
  )
})

test('a compressed stream is read event by event', async (t) => {
  let send = (_text: string): void => {}
  const { url } = await answering(t, (_req, res) => {
    res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Content-Encoding': 'gzip' })
    const gzip = createGzip()
    gzip.pipe(res)
    send = (text) => {
      gzip.write(text)
      gzip.flush()
    }
    send(':\n\n')
  })
  const events = connect(url)
  await eventually(() => events.state === 'open')
  for (const n of ['1', '2', '3']) {
    send(`data: ${n}\n\n`)
    assert.equal((await take(events, 1))[0]?.data, n)
  }
  events.close()
})

test('what is no HTTP is a network that fails', async (t) => {
  const server = createNetServer((socket) => {
    socket.on('error', () => {})
    socket.end('SSH-2.0-OpenSSH_9.2\r\n')
  })
  const port = await listen(server)
  t.after(() => server.close())
  const { retries, onRetry } = noted()
  turned(t, `http://127.0.0.1:${port}/`, { onRetry })
  await eventually(() => retries.length === 1)
  assert.equal(retries[0]?.cause.code, 'SLUICE_NETWORK')
})

test('a crawl, byte by byte, is not silence; silence is, and comments break it', async (t) => {
  let write = (_text: string): void => {}
  const { url, requests } = await answering(t, (_req, res) => {
    stream(res)
    write = (text) => void res.write(text)
  })
  const { retries, onRetry } = noted()
  let reads = 0
  const { stream: events, clock } = turned(t, url, {
    onRetry,
    fetch: async (input, init) => {
      const response = await fetch(input, init)
      const counting = new TransformStream<Uint8Array, Uint8Array>({
        transform(bytes, controller) {
          reads += 1
          controller.enqueue(bytes)
        },
      })
      return new Response(response.body?.pipeThrough(counting) ?? null, response)
    },
  })
  // The timer is set anew after each piece.
  const read = (count: number): Promise<void> => eventually(() => reads === count && clock.timers === 1)
  await read(1)
  for (const [n, piece] of [...'data: x\n', ':', '\n'].entries()) {
    await turns(5)
    clock.advance(59_000)
    write(piece)
    await read(n + 2)
  }
  assert.equal(retries.length, 0)
  await turns(5)
  clock.advance(60_000)
  await eventually(() => retries.length === 1)
  assert.equal(retries[0]?.cause.code, 'SLUICE_SILENT')
  await eventually(() => requests[0]?.socket.destroyed === true)
  events.close()
  assert.equal(clock.timers, 0)
})

test('the watchdog can be off', async (t) => {
  const { url } = await answering(t, (_req, res) => stream(res))
  for (const silence of [0, Infinity]) {
    const { stream: events, clock } = turned(t, url, { silence })
    await eventually(() => events.state === 'open' && clock.timers === 0)
    clock.advance(1e9)
    await turns(5)
    assert.equal(events.state, 'open')
  }
})

test('a slow iteration stops the reading: the server is held back, and no watchdog fires', async (t) => {
  const block = `data: ${'x'.repeat(10_000)}\n\n`
  let written = 0
  let blocked = false
  const { url } = await answering(t, (_req, res) => {
    stream(res, '')
    const more = (): void => {
      if (res.destroyed) return
      blocked = false
      while (!blocked && written < 100_000_000) {
        written += block.length
        blocked = !res.write(block)
      }
      res.once('drain', more)
    }
    more()
  })
  const { retries, onRetry } = noted()
  const { stream: events, clock } = turned(t, url, { onRetry })
  await take(events, 1)
  // What the kernel and fetch hold is full when nothing moves any more.
  let before = -1
  while (before !== written) {
    before = written
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  assert.ok(written < 20_000_000, `${written} bytes were taken for one event`)
  assert.equal(clock.timers, 0, 'nothing is waited for')
  clock.advance(600_000)
  await take(events, 2_500)
  assert.ok(written > before)
  assert.equal(retries.length, 0)
  t.diagnostic(`${before} bytes lay between the server and an iteration that took one event`)
})

async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) await new Promise((resolve) => setImmediate(resolve))
}

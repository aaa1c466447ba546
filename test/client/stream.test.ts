// What a client makes of each answer: over real sockets, with a clock turned by hand where something waits.

import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { connect, type Refusal, type ResponseInfo, type Retry, SluiceError } from '../../src/client.ts'
import { encode } from '../../src/event-stream.ts'
import { all, answering, stream, take, turned } from '../support/fetch-client.ts'
import { eventually } from '../support/server.ts'

const code = (expected: string) => (error: unknown) => error instanceof SluiceError && error.code === expected

test('events come decoded however their bytes are split', async (t) => {
  const bytes = Buffer.concat([
    Buffer.from([0xef, 0xbb, 0xbf]),
    encode({ event: 'tick', data: 'zwölf\n€ 𝄞', id: 'é7' }),
    Buffer.from('data: mixed\r\ndata: ends\rdata: here\n\r\n: comment\n\ndata\n\ndata: incomplete\n'),
  ])
  const { url } = await answering(t, async (_req, res) => {
    res.writeHead(200, { 'Content-Type': 'Text/Event-Stream; charset=UTF-8' })
    for (const byte of bytes) {
      res.write(Buffer.from([byte]))
      await new Promise((resolve) => setImmediate(resolve))
    }
    res.end()
  })
  assert.deepEqual(await all(connect(url, { maxRetries: 0 })), [
    { event: 'tick', data: 'zwölf\n€ 𝄞', lastEventId: 'é7' },
    { event: 'message', data: 'mixed\nends\nhere', lastEventId: 'é7' },
    { event: 'message', data: '', lastEventId: 'é7' },
  ])
})

test('204 is the end, and the iteration ends normally', async (t) => {
  const { url, requests } = await answering(t, (_req, res) => void res.writeHead(204).end())
  const events = connect(url)
  assert.equal(events.state, 'connecting')
  assert.deepEqual(await all(events), [])
  assert.equal(events.state, 'closed')
  assert.equal(requests.length, 1)
})

test('a status that is about the request is final, with the answer as its cause', async (t) => {
  const { url, requests } = await answering(t, (req, res) => {
    res.writeHead(Number(req.url?.slice(1)), { 'X-Why': 'because' }).end('No such stream. '.repeat(2_000))
  })
  for (const status of [201, 206, 300, 304, 400, 401, 403, 404, 405, 410, 422, 451]) {
    const before = requests.length
    await assert.rejects(all(connect(url + status)), (error) => {
      assert.ok(error instanceof SluiceError)
      assert.equal(error.code, 'SLUICE_REFUSED')
      assert.match(error.message, new RegExp(`answered ${status} `))
      const cause = error.cause as Refusal
      assert.equal(cause.status, status)
      assert.equal(cause.headers.get('x-why'), 'because')
      if (status !== 304) assert.ok(cause.body.startsWith('No such stream.') && cause.body.length === 16_384)
      return true
    })
    assert.equal(requests.length, before + 1, `${status} is asked once`)
  }
})

test('a wrong or missing Content-Type is final', async (t) => {
  const types = ['text/html', 'application/json', 'text/event-streams', '']
  const { url } = await answering(t, (_req, res, n) => {
    if (types[n]) res.setHeader('Content-Type', types[n] ?? '')
    res.write('data: x\n\n') // and stays open: it must be left, not read to its end
  })
  for (const type of types) {
    await assert.rejects(all(connect(url)), (error) => {
      assert.ok(code('SLUICE_NOT_EVENT_STREAM')(error), type)
      return true
    })
  }
})

test('a status that is about the moment is retried, with the backoff growing, until it is over', async (t) => {
  const statuses = [500, 502, 503, 504, 501, 599, 408, 425, 429]
  const { url } = await answering(t, (_req, res, n) => {
    if (n < statuses.length) res.writeHead(statuses[n] ?? 500).end('later')
    else stream(res, 'data: at last\n\n')
  })
  const retries: Retry[] = []
  const { stream: events, clock } = turned(
    t,
    url,
    { onRetry: (retry) => retries.push(retry) },
    { random: () => 1 - 1e-9 },
  )
  for (let n = 1; n <= statuses.length; n += 1) {
    await eventually(() => retries.length === n)
    assert.equal(events.state, 'connecting')
    clock.advance(retries.at(-1)?.delay ?? 0)
  }
  assert.equal((await take(events, 1))[0]?.data, 'at last')
  assert.equal(events.state, 'open')
  assert.deepEqual(
    retries.map(({ attempt, delay, cause }) => [attempt, delay, (cause.cause as Refusal).status]),
    statuses.map((status, n) => [n + 1, Math.min(30_000, 1_000 * 2 ** n), status]),
  )
  assert.ok(retries.every(({ cause }) => cause.code === 'SLUICE_REFUSED'))
})

test('Retry-After is waited for whole, in both forms, on any status from 400', async (t) => {
  const { url } = await answering(t, (_req, res, n) => {
    if (n === 0) res.writeHead(503, { 'Retry-After': '7' }).end()
    else if (n === 1) res.writeHead(429, { 'Retry-After': 'Sun, 06 Nov 1994 08:49:37 GMT' }).end()
    else if (n === 2) res.writeHead(403, { 'Retry-After': '1' }).end()
    else res.writeHead(403, { 'Retry-After': 'soon' }).end()
  })
  const retries: Retry[] = []
  const today = (): number => Date.UTC(1994, 10, 6, 8, 49, 37) - 12_000
  // Without a Date of its own, a response's moment is taken by the client's clock.
  const options = {
    onRetry: (retry: Retry) => retries.push(retry),
    fetch: async (input: string | URL | Request, init?: RequestInit) => {
      const response = await fetch(input, init)
      const headers = new Headers(response.headers)
      headers.delete('Date')
      return new Response(response.body, { status: response.status, headers })
    },
  }
  const { stream: events, clock } = turned(t, url, options, { random: () => 0, today })
  const outcome = all(events)
  for (const [n, delay] of [7_000, 12_000, 1_000].entries()) {
    await eventually(() => retries.length === n + 1)
    assert.equal(retries[n]?.delay, delay)
    clock.advance(delay - 1)
    assert.equal(clock.timers, 1)
    clock.advance(1)
  }
  await assert.rejects(outcome, code('SLUICE_REFUSED'))
})

test('a server that is not there is tried again, and the failure says why', async (t) => {
  const { url, server } = await answering(t, () => {})
  await new Promise((resolve) => server.close(resolve))
  const retries: Retry[] = []
  const { stream: events } = turned(t, url, { onRetry: (retry) => retries.push(retry) })
  await eventually(() => retries.length === 1)
  assert.equal(retries[0]?.cause.code, 'SLUICE_NETWORK')
  assert.match(String((retries[0]?.cause.cause as Error | undefined)?.cause), /ECONNREFUSED/)
  events.close()
})

test('it comes back with the last event ID as its UTF-8 bytes, an id without data included', async (t) => {
  const said = [
    'id: заказ №7 – ☃ 𝄞\ndata: 1\n\n',
    'id: only\n\n',
    'id: with\0nul\ndata: 2\n\n',
    'id\ndata: 3\n\n',
    'id: cut',
    'data: 4\n\n',
  ]
  const { url, requests } = await answering(t, (_req, res, n) => {
    if (n === said.length) res.writeHead(204).end()
    else {
      stream(res, said[n])
      res.end()
    }
  })
  const events = connect(url, { backoff: { base: 0, cap: 0 } })
  const got = await all(events)
  assert.deepEqual(
    got.map(({ data, lastEventId }) => [data, lastEventId]),
    [
      ['1', 'заказ №7 – ☃ 𝄞'],
      ['2', 'only'],
      ['3', ''],
      ['4', ''],
    ],
  )
  const sent = requests.map(({ headers }) => {
    const value = headers['last-event-id']
    return typeof value === 'string' ? Buffer.from(value, 'latin1').toString() : value
  })
  assert.deepEqual(sent, [undefined, 'заказ №7 – ☃ 𝄞', 'only', 'only', undefined, undefined, undefined])
  assert.ok(requests.every(({ headers }) => headers.accept === 'text/event-stream'))
})

test('the last event ID can go in a query parameter, and the rest of the query stays as it is', async (t) => {
  const { url, requests } = await answering(t, (_req, res, n) => {
    if (n === 2) res.writeHead(204).end()
    else {
      stream(res, 'id: a+b&c €\ndata: x\n\n')
      res.end()
    }
  })
  const options = { lastEventIdParam: 'after', lastEventId: '7', backoff: { base: 0, cap: 0 } }
  await all(connect(`${url}?sig=a%20b+c&x`, options))
  assert.deepEqual(
    requests.map(({ url }) => url),
    [
      '/?sig=a%20b+c&x&after=7',
      '/?sig=a%20b+c&x&after=a%2Bb%26c%20%E2%82%AC',
      '/?sig=a%20b+c&x&after=a%2Bb%26c%20%E2%82%AC',
    ],
  )
  assert.ok(requests.every(({ headers }) => headers['last-event-id'] === undefined))
  const { url: other, requests: asked } = await answering(t, (_req, res) => void res.writeHead(204).end())
  await all(connect(`${other}?after=old`, { lastEventIdParam: 'after', lastEventId: 'new' }))
  assert.equal(asked[0]?.url, '/?after=new')
})

test('an id that cannot be sent back is told, for to leave it out would lose events in silence', async (t) => {
  const { url } = await answering(t, (_req, res) => {
    stream(res, 'id: \x01\ndata: x\n\n')
    res.end()
  })
  const events = connect(url, { backoff: { base: 0, cap: 0 } })
  assert.equal((await take(events, 1))[0]?.data, 'x')
  await assert.rejects(all(events), code('SLUICE_BAD_ID'))
})

test('redirects are followed, and onOpen says where to', async (t) => {
  const { url } = await answering(t, (req, res) => {
    if (req.url === '/') res.writeHead(307, { Location: '/there' }).end()
    else stream(res, 'data: x\n\n')
  })
  let opened: ResponseInfo | undefined
  const events = connect(url, {
    onOpen: (response) => {
      opened = response
    },
  })
  await take(events, 1)
  assert.deepEqual([opened?.status, opened?.redirected, opened?.url], [200, true, `${url}there`])
  events.close()
})

test('a POST sends its body and headers anew with every attempt, fresh from their functions', async (t) => {
  const bodies: string[] = []
  const { url, requests } = await answering(t, async (req, res, n) => {
    bodies.push(await text(req))
    if (n === 3) res.writeHead(204).end()
    else {
      stream(res, 'data: x\n\n')
      res.end()
    }
  })
  let tokens = 0
  const events = connect(url, {
    headers: async () => {
      tokens += 1
      if (tokens === 2) throw new Error('the token service is down')
      return { Authorization: `Bearer ${tokens}`, Accept: 'text/event-stream, */*' }
    },
    body: () => (bodies.length === 1 ? streamOf('{"streamed":true}') : JSON.stringify({ n: bodies.length })),
    backoff: { base: 0, cap: 0 },
  })
  await all(events)
  assert.deepEqual(bodies, ['{"n":0}', '{"streamed":true}', '{"n":2}', '{"n":3}'])
  assert.deepEqual(
    requests.map(({ method, headers }) => [method, headers.authorization, headers.accept]),
    [1, 3, 4, 5].map((n) => ['POST', `Bearer ${n}`, 'text/event-stream, */*']),
  )
})

test('headers that cannot be sent are final, wherever they come from', async () => {
  const events = connect('http://127.0.0.1:9/', { headers: () => ({ 'X-Bad': 'a\nb' }) })
  await assert.rejects(all(events), code('SLUICE_BAD_HEADER'))
})

test("a server's retry becomes the base; a retry it leaves with is the moment to come back at", async (t) => {
  const { url } = await answering(t, (_req, res, n) => {
    if (n === 0) stream(res, 'retry: 200\n\n:\n\n')
    else if (n === 1) stream(res, ':\n\nretry: 4000\n\n')
    else stream(res, 'data: x\n\n')
    res.end()
  })
  const retries: Retry[] = []
  const { stream: events, clock } = turned(t, url, { onRetry: (retry) => retries.push(retry) })
  all(events).catch(() => {})
  const delays = [
    100, // half of 200
    4_000 + 1_000, // the moment, and half a window of our own base on top
    100, // an event has come: healthy, and the base is what it was
  ]
  for (const [n, delay] of delays.entries()) {
    await eventually(() => retries.length === n + 1)
    assert.equal(retries[n]?.delay, delay, `retry ${n + 1}`)
    clock.advance(delay)
  }
  assert.deepEqual(
    retries.map(({ attempt, cause }) => [attempt, cause.code]),
    [
      [1, 'SLUICE_STREAM_ENDED'],
      [2, 'SLUICE_STREAM_ENDED'],
      [1, 'SLUICE_STREAM_ENDED'],
    ],
  )
})

test('a mere 200 does not start the backoff anew: an event does, or having lasted; a gap does not', async (t) => {
  const gap = { reason: 'epoch', channel: 'a', requested: null, oldest: null, newest: null }
  let end = (): void => {}
  const { url } = await answering(t, (_req, res, n) => {
    stream(res, n === 1 ? `event: gap\ndata: ${JSON.stringify(gap)}\n\n` : ':\n\n')
    if (n === 2) end = () => res.end()
    else res.end(n === 4 ? 'data: x\n\n' : '')
  })
  const retries: Retry[] = []
  let opens = 0
  const { stream: events, clock } = turned(t, url, {
    onRetry: (retry) => retries.push(retry),
    onOpen: () => {
      opens += 1
    },
  })
  all(events).catch(() => {})
  const attempts: number[] = []
  for (let n = 0; n < 5; n += 1) {
    if (n === 2) {
      await eventually(() => opens === 3)
      clock.advance(5_000)
      end()
    }
    await eventually(() => retries.length === n + 1)
    attempts.push(retries[n]?.attempt ?? 0)
    clock.advance(retries[n]?.delay ?? 0)
  }
  assert.deepEqual(attempts, [1, 2, 1, 2, 1])
})

test('maxRetries bounds the failures in a row, and says the last', async (t) => {
  const { url, requests } = await answering(t, (_req, res) => void res.writeHead(502).end())
  await assert.rejects(all(connect(url, { maxRetries: 2, backoff: { base: 0, cap: 0 } })), (error) => {
    assert.ok(code('SLUICE_RETRIES_EXHAUSTED')(error))
    assert.ok(code('SLUICE_REFUSED')((error as Error).cause))
    return true
  })
  assert.equal(requests.length, 3)
})

test('with maxRetries 0 a failure is thrown as it is, and the end of the stream is the end', async (t) => {
  const { url, requests } = await answering(t, (_req, res, n) => {
    if (n === 0) res.writeHead(502).end()
    else {
      stream(res, 'data: x\n\n')
      res.end()
    }
  })
  await assert.rejects(all(connect(url, { maxRetries: 0 })), code('SLUICE_REFUSED'))
  assert.equal((await all(connect(url, { maxRetries: 0 }))).length, 1)
  assert.equal(requests.length, 2)
})

test('a named end event ends the iteration at once, from any server; false leaves it an event like others', async (t) => {
  const { url, requests } = await answering(t, (_req, res, n) => {
    if (n === 2) res.writeHead(204).end()
    else stream(res, 'data: x\n\nid: 9\nevent: done\ndata: y\n\ndata: after\n\n')
    if (n === 1) res.end()
  })
  const events = connect(url, { endEvent: 'done' })
  assert.deepEqual(
    (await all(events)).map(({ data }) => data),
    ['x', 'y'],
  )
  assert.equal(events.lastEventId, '9')
  const others = await all(connect(url, { endEvent: false, backoff: { base: 0, cap: 0 } }))
  assert.deepEqual(
    others.map(({ data }) => data),
    ['x', 'y', 'after'],
  )
  assert.equal(requests.length, 3)
})

test("an `end` of a server that is not Sluice's is an event like others", async (t) => {
  const { url, requests } = await answering(t, (_req, res, n) => {
    if (n === 1) return void res.writeHead(204).end()
    stream(res, 'event: end\ndata: of a song\n\n')
    res.end()
  })
  assert.equal((await all(connect(url, { backoff: { base: 0, cap: 0 } }))).length, 1)
  assert.equal(requests.length, 2)
})

test('data is parsed as the option says; a type narrows by the name', async (t) => {
  const { url } = await answering(t, (_req, res) => {
    stream(res, 'event: tick\ndata: {"btc":64000}\n\nevent: note\ndata: "hi"\n\ndata: \n\n')
    res.end()
  })
  const events = connect<{ tick: { btc: number }; note: string; message: '' }>(url, {
    parse: 'json',
    maxRetries: 0,
  })
  const seen: unknown[] = []
  for await (const event of events) {
    if (event.event === 'tick') seen.push(event.data.btc.toFixed(0))
    else if (event.event === 'note') seen.push(event.data.toUpperCase())
    else if (event.gap) seen.push(event.gap.channel)
    else seen.push(event.data)
  }
  assert.deepEqual(seen, ['64000', 'HI', ''])

  const lengths = connect<{ tick: number; note: number }>(url, {
    parse: (data, event) => data.length + event.length,
    maxRetries: 0,
  })
  assert.deepEqual(
    (await all(lengths)).map(({ data }) => data),
    [17, 8, 7],
  )
})

test('data that does not parse ends the stream, in its place', async (t) => {
  const { url } = await answering(t, (_req, res) => stream(res, 'data: 1\n\ndata: {\n\ndata: 3\n\n'))
  const events = connect(url, { parse: 'json' })
  assert.equal((await take(events, 1))[0]?.data, 1)
  await assert.rejects(take(events, 1), (error) => {
    assert.ok(code('SLUICE_UNPARSABLE')(error))
    assert.ok((error as Error).cause instanceof SyntaxError)
    return true
  })
  assert.equal(events.state, 'closed')
  assert.deepEqual(await all(events), [])
  const thrown = new Error('of the parser')
  const own = connect(url, {
    parse: () => {
      throw thrown
    },
  })
  await assert.rejects(all(own), (error) => (error as Error).cause === thrown)
})

test("a gap is told by the hook and in the iteration, in its place; another server's `gap` is an event", async (t) => {
  const gap = { reason: 'evicted', channel: 'a', requested: 'x-1', oldest: 'x-5', newest: 'x-9' }
  const { url } = await answering(t, (_req, res) => {
    stream(
      res,
      `data: 1\n\nevent: gap\nid: x-9\ndata: ${JSON.stringify(gap)}\n\ndata: 2\n\n` +
        'event: gap\ndata: {"reason":"evicted"}\n\nevent: gap\ndata: between the teeth\n\nevent: gap\ndata: null\n\n',
    )
    res.end()
  })
  const order: unknown[] = []
  const events = connect(url, { maxRetries: 0, onGap: (told) => order.push(['hook', told.reason]) })
  for await (const event of events) {
    order.push(event.gap ? ['item', event.gap, event.lastEventId] : [event.event, event.data])
  }
  assert.deepEqual(order, [
    ['message', '1'],
    ['hook', 'evicted'],
    ['item', gap, 'x-9'],
    ['message', '2'],
    ['gap', '{"reason":"evicted"}'],
    ['gap', 'between the teeth'],
    ['gap', 'null'],
  ])
})

test('what a hook throws, or its promise rejects with, ends the stream and is thrown as it is', async (t) => {
  const { url, requests } = await answering(t, (req, res) => {
    if (req.url === '/down') res.writeHead(503).end()
    else
      stream(
        res,
        'event: gap\ndata: {"reason":"epoch","channel":"a","requested":null,"oldest":null,"newest":null}\n\n',
      )
  })
  const thrown = new Error('of the hook')
  const now = (): never => {
    throw thrown
  }
  const later = async (): Promise<void> => {
    await null
    throw thrown
  }
  for (const hook of [now, later]) {
    for (const [path, options] of [
      ['', { onOpen: hook }],
      ['down', { onRetry: hook }],
      ['', { onGap: hook }],
    ] as const) {
      const events = connect(url + path, options)
      await assert.rejects(all(events), thrown)
      assert.equal(events.state, 'closed')
    }
  }
  assert.equal(requests.length, 6)
})

test('with nobody iterating, a failure waits and is never an unhandled rejection', async (t) => {
  const { url } = await answering(t, (_req, res) => void res.writeHead(404).end())
  const unhandled: unknown[] = []
  const note = (error: unknown): void => {
    unhandled.push(error)
  }
  process.on('unhandledRejection', note)
  t.after(() => process.off('unhandledRejection', note))
  const events = connect(url)
  await eventually(() => events.state === 'closed')
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(unhandled, [])
  await assert.rejects(all(events), code('SLUICE_REFUSED'))
  assert.deepEqual(await all(events), [])
})

test('the last event ID to store is that of what was taken, not of what was read', async (t) => {
  const { url } = await answering(t, (_req, res) => {
    stream(res, 'id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\nid: 4\n\n')
  })
  const events = connect(url, { lastEventId: '0' })
  assert.equal(events.lastEventId, '0')
  await take(events, 1)
  assert.equal(events.lastEventId, '1')
  await take(events, 1)
  assert.equal(events.lastEventId, '2')
  events.close()
  assert.equal(events.lastEventId, '2')
  const others = connect(url)
  await take(others, 3)
  assert.equal(others.lastEventId, '4')
  others.close()
})

test('a fetch of your own is called, one connection at a time', async (t) => {
  const { url, requests, server } = await answering(t, (_req, res, n) => {
    if (n === 3) return void res.writeHead(204).end()
    stream(res, `data: ${n}\n\n`)
    res.end()
  })
  let most = 0
  server.on('request', () =>
    server.getConnections((_, count) => {
      most = Math.max(most, count)
    }),
  )
  const calls: string[] = []
  const events = connect(url, {
    backoff: { base: 0, cap: 0 },
    credentials: 'include',
    fetch: (input, init) => {
      calls.push(`${init?.method} ${init?.credentials}`)
      return fetch(input, init)
    },
  })
  assert.equal((await all(events)).length, 3)
  assert.deepEqual(calls, new Array(4).fill('GET include'))
  assert.equal(requests.length, 4)
  assert.ok(most <= 1, `${most} connections at once`)
})

async function text(req: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of req) body += chunk
  return body
}

function streamOf(content: string): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(content))
      controller.close()
    },
  })
}

test('the door opens on the client', async () => {
  const door = await import('../../src/client.ts')
  assert.deepEqual(Object.keys(door).sort(), ['CLIENT_DEFAULTS', 'SluiceError', 'connect'])
})

// Every moment at which a stream may be closed or aborted, and what must be left then: nothing.

import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { connect, type EventStream, type EventStreamOptions } from '../../src/client.ts'
import { all, answering, stream, take, within } from '../support/fetch-client.ts'
import { eventually } from '../support/server.ts'

type Moment = (events: EventStream<Record<string, unknown>>, aim: { requests: unknown[] }) => Promise<unknown>

/** Path of the server, and when the stand is taken. */
const MOMENTS: Record<string, { path: string; options?: EventStreamOptions; reach: Moment }> = {
  'before anything': { path: 'open', reach: async () => {} },
  'while headers are made': {
    path: 'open',
    options: { headers: () => new Promise(() => {}) },
    reach: () => turns(3),
  },
  'while the answer is awaited': {
    path: 'silent',
    reach: (_events, { requests }) => eventually(() => requests.length > 0),
  },
  'in an open stream, before its first event': {
    path: 'open',
    reach: (events) => eventually(() => events.state === 'open'),
  },
  'between two events that were read together': { path: 'events', reach: (events) => take(events, 1) },
  'after the last event': { path: 'events', reach: (events) => take(events, 3) },
  'while a retry is waited for': {
    path: 'down',
    options: { backoff: { base: 1e6, cap: 1e6 } },
    reach: (_events, { requests }) => eventually(() => requests.length > 0).then(() => turns(30)),
  },
  'while a refusal is read': {
    path: 'refusing',
    reach: (_events, { requests }) => eventually(() => requests.length > 0).then(() => turns(30)),
  },
}

/** What keeps the process alive, but for the pipes and the timer of the test's own. */
function held(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((kind) => /^(Timeout|TCPSocketWrap|TCPConnectWrap)$/.test(kind))
}

for (const [moment, { path, options, reach }] of Object.entries(MOMENTS)) {
  for (const how of ['close', 'return', 'abort'] as const) {
    test(`${how} ${moment} ends it at once and leaves nothing`, async (t) => {
      const { url, requests, server } = await answering(t, (req, res) => {
        if (req.url === '/open') stream(res)
        else if (req.url === '/events') stream(res, 'data: 1\n\ndata: 2\n\ndata: 3\n\n')
        else if (req.url === '/down') res.writeHead(503, { Connection: 'close' }).end()
        else if (req.url === '/refusing') res.writeHead(404).write('n')
      })
      // What is held is to be the client's.
      server.on('connection', (socket) => socket.unref())
      const before = held().length
      const controller = new AbortController()
      const events = connect(url + path, { ...options, signal: controller.signal })
      await reach(events, { requests })
      const asked = requests.length
      const iterator = events[Symbol.asyncIterator]()
      // Somebody waits, where there is nothing to take.
      const waiting = moment.startsWith('between') ? undefined : iterator.next()
      waiting?.catch(() => {})
      const reason = new Error('enough')
      if (how === 'close') events.close()
      else if (how === 'abort') controller.abort(reason)
      else await within(Promise.resolve(iterator.return?.()), 'return()')
      assert.equal(events.state, 'closed')
      const next = within(waiting ?? iterator.next(), 'the end')
      if (how === 'abort') await assert.rejects(next, reason)
      else assert.deepEqual(await next, { done: true, value: undefined })
      assert.deepEqual(await iterator.next(), { done: true, value: undefined })
      await eventually(() => held().length <= before, `${before} resources, have ${held().join(' ')}`)
      await gone(requests)
      assert.ok(requests.length <= Math.max(asked, 1), 'it asked no more')
      events.close()
    })
  }
}

test('a signal that is aborted already: nothing is asked', async (t) => {
  const { url, requests } = await answering(t, (_req, res) => stream(res))
  const reason = new Error('enough')
  const events = connect(url, { signal: AbortSignal.abort(reason) })
  assert.equal(events.state, 'closed')
  await assert.rejects(all(events), reason)
  assert.equal(requests.length, 0)
})

test('leaving the loop closes the stream, by break and by a throw', async (t) => {
  const { url, requests } = await answering(t, (_req, res) => stream(res, 'data: 1\n\ndata: 2\n\n'))
  const events = connect(url)
  for await (const event of events) {
    assert.equal(event.data, '1')
    break
  }
  assert.equal(events.state, 'closed')
  const thrown = new Error('of the loop')
  const others = connect(url)
  await assert.rejects(async () => {
    for await (const _ of others) throw thrown
  }, thrown)
  assert.equal(others.state, 'closed')
  await gone(requests)
})

test('a hook may close the stream', async (t) => {
  const { url, requests } = await answering(t, (req, res) => {
    if (req.url === '/down') res.writeHead(503).end()
    else stream(res, 'data: 1\n\n')
  })
  const open: EventStream = connect(url, { onOpen: () => open.close() })
  assert.deepEqual(await all(open), [])
  const down: EventStream = connect(`${url}down`, { onRetry: () => down.close() })
  assert.deepEqual(await all(down), [])
  assert.equal(requests.length, 2)
})

test('listeners on a long-lived signal go with their streams', async (t) => {
  const { url } = await answering(t, (_req, res) => void res.writeHead(204).end())
  const { signal } = new AbortController()
  let listeners = 0
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners += 1
    add(...args)
  }
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners -= 1
    remove(...args)
  }
  for (let n = 0; n < 20; n += 1) await all(connect(url, { signal }))
  assert.equal(listeners, 0)
})

/**
 * The sockets that carried the requests. Not all of them: the fetch of Node 20 may open a spare connection when one was
 * cut, which holds no process and goes with its keep-alive.
 */
function gone(requests: readonly IncomingMessage[]): Promise<void> {
  return eventually(() => requests.every(({ socket }) => socket.destroyed), 'the end of its sockets')
}

async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) await new Promise((resolve) => setImmediate(resolve))
}

// sluice/web in the runtimes that it is for, over real sockets: the built files, one server program, the same checks in each.

import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { Client } from '../support/client.ts'
import { need } from '../support/need.ts'
import { exchange, RawClient } from '../support/raw.ts'
import { findRuntime, type Runtime, startRuntime } from '../support/runtime.ts'

const RUNTIMES: readonly Runtime[] = ['node', 'bun', 'deno', 'workerd']

interface Stats {
  connections: number
  buffered: number[]
  closes: Record<string, number>
}

const ask = async <T>(url: string, path: string): Promise<T> => (await fetch(url + path)).json() as Promise<T>
const stats = (url: string): Promise<Stats> => ask(url, '/stats')

/** Asks until it holds; fails after ten seconds. */
async function untilStats(url: string, done: (stats: Stats) => boolean): Promise<Stats> {
  const end = performance.now() + 10_000
  for (;;) {
    const now = await stats(url)
    if (done(now)) return now
    if (performance.now() > end) throw new Error(`gave up waiting for ${done}; have ${JSON.stringify(now)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const range = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index))

for (const runtime of RUNTIMES) {
  // What a test finds out: the same server for all of them, so that one start serves.
  describe(`sluice/web in ${runtime}`, need(runtime, findRuntime(runtime)), () => {
    const start = (t: TestContext): Promise<string> => startRuntime(t, runtime)

    test('opens at once, delivers, beats, sees a client leave, and resumes it exactly', async (t) => {
      const url = await start(t)
      const client = await Client.open(`${url}/events?channel=numbers`)
      assert.equal(client.status, 200)
      assert.equal(client.headers['content-type'], 'text/event-stream')
      assert.equal(client.headers['cache-control'], 'no-cache, no-store, no-transform')
      assert.equal(client.headers['x-accel-buffering'], 'no')
      assert.equal(client.headers['sluice-resume'], 'none')
      assert.equal(client.headers['access-control-allow-origin'], '*')
      await client.until(() => client.lastEventId !== '', 'the opening block')
      const ids = await ask<string[]>(url, '/publish?from=1&to=100')
      await client.count(100)
      assert.deepEqual(client.data, range(1, 100))
      assert.deepEqual(
        client.events.map(({ lastEventId }) => lastEventId),
        ids,
      )
      await client.until(() => client.comments.length >= 2, 'heartbeats')
      client.drop()
      const left = await untilStats(url, ({ connections }) => connections === 0)
      assert.equal(left.closes.client, 1)
      await ask(url, '/publish?from=101&to=150')
      const again = await Client.open(`${url}/events?channel=numbers`, {
        headers: { 'last-event-id': ids[79] ?? '' },
      })
      assert.equal(again.headers['sluice-resume'], 'full')
      await again.count(70)
      assert.deepEqual(again.data, range(81, 150))
      await ask(url, '/publish?from=151&to=151&id=%C3%A9%E2%82%AC%F0%9F%8C%8A')
      await again.count(71)
      again.drop()
      // An id of the publisher's own, beyond Latin-1, as a browser sends it back.
      await ask(url, '/publish?from=152&to=152')
      const third = await Client.open(`${url}/events?channel=numbers`, {
        headers: { 'last-event-id': Buffer.from('é€🌊').toString('latin1') },
      })
      assert.equal(third.headers['sluice-resume'], 'full')
      assert.deepEqual(
        (await third.count(1)).map(({ data }) => data),
        ['152'],
      )
      third.drop()
    })

    test('tells a gap for an id of another life, and sends to one connection alone', async (t) => {
      const url = await start(t)
      const client = await Client.open(`${url}/events?channel=numbers`, {
        headers: { 'last-event-id': '0000000000-7' },
      })
      assert.equal(client.headers['sluice-resume'], 'gap')
      const [gap] = await client.count(1)
      assert.equal(gap?.event, 'gap')
      assert.equal(JSON.parse(gap?.data ?? '').reason, 'epoch')
      client.drop()
      const other = await Client.open(`${url}/answer`)
      assert.deepEqual((await other.count(1))[0]?.event, 'hello')
      other.drop()
    })

    test('answers what asks for no stream, and leaves nothing registered', async (t) => {
      const url = await start(t)
      const port = Number(new URL(url).port)
      const head = (method: string, more = ''): string =>
        `${method} /events?channel=numbers HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${more}\r\n`
      assert.match(
        await exchange(port, head('OPTIONS', 'Origin: http://a.example\r\n')),
        /^HTTP\/1\.1 204[\s\S]*allow/i,
      )
      assert.match(
        await exchange(port, head('POST', 'Content-Length: 0\r\n')),
        /^HTTP\/1\.1 405[\s\S]*allow: GET/i,
      )
      assert.match(await exchange(port, head('HEAD')), /^HTTP\/1\.1 200[\s\S]*text\/event-stream/i)
      assert.equal((await stats(url)).connections, 0)
    })

    test('a reader that stops reading holds no more than its cap, and is given up', async (t) => {
      const url = await start(t)
      const raw = await RawClient.open(Number(new URL(url).port))
      raw.write('GET /events?channel=numbers HTTP/1.1\r\nHost: x\r\n\r\n')
      await raw.until((text) => text.includes('id: '))
      raw.pause()
      let most = 0
      let closes = 0
      // Megabytes go into the kernel before user space sees a stall.
      const end = performance.now() + 15_000
      for (let from = 1; closes === 0 && performance.now() < end; from += 100) {
        await ask(url, `/publish?from=${from}&to=${from + 99}&padding=8000`)
        const now = await stats(url)
        most = Math.max(most, ...now.buffered)
        closes = now.closes.stalled ?? 0
      }
      assert.equal(closes, 1)
      assert.ok(most <= 262_144 + 10_000, `${most} bytes were held`)
      raw.destroy()
      assert.equal((await stats(url)).connections, 0)
    })

    test('a closing hub ends its streams with a farewell', async (t) => {
      const url = await start(t)
      const client = await Client.open(`${url}/events?channel=numbers`)
      await client.until(() => client.lastEventId !== '')
      assert.deepEqual(await ask(url, '/close'), { ended: 1, destroyed: 0 })
      await client.ended()
      assert.ok((client.retry ?? Infinity) <= 100)
    })
  })
}

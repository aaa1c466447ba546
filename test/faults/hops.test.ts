// Through real hops with their own defaults: the first event comes at once, a silent stream survives three minutes (in CI; some seconds
// elsewhere, or LONG_TESTS=1), a client that leaves is seen, and resuming is exact.

import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { Client } from '../support/client.ts'
import { haproxy, haproxyProxy } from '../support/haproxy.ts'
import { apache, apacheProxy, varnishd, varnishProxy } from '../support/hops.ts'
import { need } from '../support/need.ts'
import { nginx, nginxProxy } from '../support/nginx.ts'
import { eventually, serve } from '../support/server.ts'

const SILENCE = process.env.CI || process.env.LONG_TESTS ? 180_000 : 3_000
const PROMPT = 200

type Hop = (t: TestContext, upstream: number) => Promise<number>

const HOPS: [name: string, found: unknown, hop: Hop][] = [
  ['nginx', nginx, async (t, upstream) => (await nginxProxy(t, upstream, '')).port],
  ['HAProxy', haproxy, (t, upstream) => haproxyProxy(t, upstream, '')],
  ['Varnish', varnishd, (t, upstream) => varnishProxy(t, upstream)],
  ['Apache', apache, (t, upstream) => apacheProxy(t, upstream)],
]

const reads = { channels: ['a'] }

describe('through real hops with their own defaults', { concurrency: true, timeout: 300_000 }, () => {
  for (const [name, found, hop] of HOPS) {
    const options = { ...need(name, found), timeout: 250_000 }

    test(
      `${name}: the first block and each event come within ${PROMPT} ms, and a resume is exact`,
      options,
      async (t) => {
        const { hub, port } = await serve(t, (mine, req, res) => void mine.connect(req, res, reads))
        const url = `http://127.0.0.1:${await hop(t, port)}/`
        const ids: string[] = []
        const times: number[] = []
        // The best of a few: a busy machine is no hop that holds back.
        for (let attempt = 0; attempt < 5; attempt += 1) {
          const start = performance.now()
          const client = await Client.open(url)
          await client.until(() => client.lastEventId !== '', 'the opening block')
          const opened = performance.now()
          ids.push(await hub.publish('a', { data: String(attempt) }))
          await client.count(1)
          times.push(Math.max(opened - start, performance.now() - opened))
          client.drop()
        }
        assert.ok(Math.min(...times) < PROMPT, `${times.map(Math.round)} ms`)
        t.diagnostic(`${name}: ${times.map((ms) => ms.toFixed(0)).join(', ')} ms`)
        for (let n = 5; n < 300; n += 1) ids.push(await hub.publish('a', { data: String(n) }))
        const resumed = await Client.open(url, { headers: { 'last-event-id': ids[99] ?? '' } })
        await resumed.count(200)
        assert.deepEqual(
          resumed.data,
          Array.from({ length: 200 }, (_, n) => String(n + 100)),
        )
        resumed.drop()
      },
    )

    test(
      `${name}: a silent stream survives ${SILENCE / 1_000} s by Sluice's default heartbeat`,
      options,
      async (t) => {
        const { hub, port } = await serve(t, (mine, req, res) => void mine.connect(req, res, reads))
        const client = await Client.open(`http://127.0.0.1:${await hop(t, port)}/`)
        await client.until(() => client.lastEventId !== '')
        await new Promise((resolve) => setTimeout(resolve, SILENCE))
        assert.equal(client.closed, false)
        await hub.publish('a', { data: 'after' })
        await client.count(1)
        assert.equal(hub.stats().opened, 1)
        client.drop()
      },
    )

    test(
      `${name}: a client that leaves is seen, at the latest by the next heartbeats`,
      options,
      async (t) => {
        const { hub, port } = await serve(t, (mine, req, res) => void mine.connect(req, res, reads), {
          heartbeat: 1_000,
        })
        const client = await Client.open(`http://127.0.0.1:${await hop(t, port)}/`)
        await client.until(() => client.lastEventId !== '')
        const left = performance.now()
        client.drop()
        await eventually(() => hub.stats().connections === 0)
        assert.equal(hub.stats().closes.client, 1)
        t.diagnostic(`${name}: after ${(performance.now() - left).toFixed(0)} ms`)
      },
    )
  }
})

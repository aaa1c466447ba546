// The case that Sluice exists for: a real browser, behind a real proxy with its real defaults.

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { createHub } from '../../src/index.ts'
import { openPage } from '../support/chromium.ts'
import { findChromium, need } from '../support/need.ts'
import { nginx, nginxProxy } from '../support/nginx.ts'
import { listen } from '../support/server.ts'

const PAGE = `<!doctype html><title>test</title><script>
  const log = { received: [], late: [], opens: 0, errors: 0, gaps: 0, lastEventId: '' }
  const source = new EventSource('/events')
  source.onopen = () => { log.opens += 1 }
  source.onerror = () => { log.errors += 1 }
  source.addEventListener('gap', () => { log.gaps += 1 })
  source.addEventListener('n', ({ data, lastEventId }) => {
    const { n, at } = JSON.parse(data)
    log.received.push(n)
    log.late.push(Date.now() - at)
    log.lastEventId = lastEventId
  })
</script>`

interface Log {
  received: number[]
  late: number[]
  opens: number
  errors: number
  gaps: number
  lastEventId: string
}

test('Chromium behind nginx with proxy_buffering on and proxy_read_timeout 5s: prompt, alive when idle, and exact over a crash of the proxy', {
  ...need('Chromium', findChromium()),
  ...need('nginx', nginx),
  timeout: 120_000,
}, async (t) => {
  const hub = createHub({ proxyIdleTimeout: 5_000, retry: 300 })
  const server = createServer((req, res) => {
    if (req.url === '/events') hub.connect(req, res, { channels: ['numbers'] })
    else res.setHeader('Content-Type', 'text/html').end(PAGE)
  })
  const port = await listen(server)
  t.after(async () => {
    await hub.close({ within: 0 })
    server.closeAllConnections()
    server.close()
  })
  const proxy = await nginxProxy(t, port, 'proxy_read_timeout 5s;')
  const page = await openPage(t)
  await page.goto(`http://127.0.0.1:${proxy.port}/`)

  const read = (): Promise<Log> => page.evaluate('log')
  const reached = (done: string): Promise<unknown> =>
    page.waitForFunction(done, undefined, { timeout: 20_000 })
  let n = 0
  const publish = async (): Promise<void> => {
    n += 1
    await hub.publish('numbers', { event: 'n', data: { n, at: Date.now() } })
  }

  await reached('log.opens === 1')
  for (let count = 0; count < 20; count += 1) {
    await publish()
    await reached(`log.received.length === ${n}`)
  }
  const prompt = await read()
  assert.ok(Math.max(...prompt.late) < 200, `latencies ${prompt.late.join(' ')} ms`)

  // Idle for more than twice the proxy's patience.
  await new Promise((resolve) => setTimeout(resolve, 12_000))
  await publish()
  await reached(`log.received.length === ${n}`)
  const idle = await read()
  assert.equal(idle.opens, 1)
  assert.equal(idle.errors, 0)

  // The proxy dies while events flow, stays away for a while, and comes back.
  let publishing = true
  const publisher = (async () => {
    while (publishing) {
      await publish()
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  })()
  await reached(`log.received.length > ${n + 20}`)
  await proxy.kill()
  await reached('log.errors > 0')
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  await proxy.start()
  await reached('log.opens === 2')
  await new Promise((resolve) => setTimeout(resolve, 500))
  publishing = false
  await publisher
  await reached(`log.received.length >= ${n}`)
  const { received, gaps, lastEventId, late } = await read()
  assert.deepEqual(
    received,
    Array.from({ length: n }, (_, index) => index + 1),
  )
  assert.equal(gaps, 0)
  assert.equal(lastEventId, hub.position)
  t.diagnostic(`${n} events, the slowest of the live ones ${Math.max(...late.slice(0, 20))} ms`)
})

test('a page that reconnects before its first event loses nothing: the first block told it its position', {
  ...need('Chromium', findChromium()),
  timeout: 60_000,
}, async (t) => {
  const hub = createHub({ retry: 100 })
  let blocked = false
  const server = createServer((req, res) => {
    if (req.url !== '/events') res.setHeader('Content-Type', 'text/html').end(PAGE)
    else if (blocked) req.socket.destroy()
    else hub.connect(req, res, { channels: ['numbers'] })
  })
  const port = await listen(server)
  t.after(async () => {
    await hub.close({ within: 0 })
    server.closeAllConnections()
    server.close()
  })
  const page = await openPage(t)
  await page.goto(`http://127.0.0.1:${port}/`)
  await page.waitForFunction('log.opens === 1', undefined, { timeout: 20_000 })
  blocked = true
  server.closeAllConnections()
  await page.waitForFunction('log.errors > 0', undefined, { timeout: 20_000 })
  for (let n = 1; n <= 3; n += 1) await hub.publish('numbers', { event: 'n', data: { n, at: 0 } })
  blocked = false
  await page.waitForFunction('log.received.length === 3', undefined, { timeout: 20_000 })
  assert.deepEqual(await page.evaluate('log.received'), [1, 2, 3])
})

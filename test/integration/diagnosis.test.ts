// Why did they disconnect? Real clients behind what really ends their streams, and the same ones after the cure.

import assert from 'node:assert/strict'
import { connect as connectTcp, createServer as createTcpServer } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import compression from 'compression'
import type { HubOptions } from '../../src/core/hub-options.ts'
import type { Finding, Hub } from '../../src/index.ts'
import { type CrowdOptions, crowd } from '../support/event-source.ts'
import { need } from '../support/need.ts'
import { nginx, nginxProxy } from '../support/nginx.ts'
import { listen, type Served, serve } from '../support/server.ts'

const CLIENTS = 60

const serveStreams = (t: TestContext, options: HubOptions): Promise<Served> =>
  serve(t, (hub, req, res) => void hub.connect(req, res, { channels: ['a'] }), options)

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Asks four times a second until there is something to say. */
async function findings(hub: Hub, patience = 40_000): Promise<Finding[]> {
  const end = performance.now() + patience
  for (;;) {
    const found = hub.diagnose()
    if (found.length > 0) return found
    if (performance.now() > end)
      throw new Error(`no finding after ${patience} ms: ${JSON.stringify(hub.stats())}`)
    await pause(250)
  }
}

function only(found: Finding[], code: Finding['code'], valueMs?: number): Finding {
  assert.deepEqual(
    found.map((one) => one.code),
    [code],
    JSON.stringify(found),
  )
  const [finding] = found as [Finding] // one, as was just seen
  const value = finding.evidence.valueMs ?? 0
  if (valueMs !== undefined) {
    assert.ok(Math.abs(value - valueMs) <= 0.05 * valueMs, `${value} ms named for ${valueMs}`)
  }
  return finding
}

/** Nothing ends against anybody's will for a while in which the sick hub had its finding, and nothing is found. */
async function quiet(hub: Hub, ms: number): Promise<void> {
  await pause(ms)
  assert.deepEqual(hub.diagnose(), [])
  assert.ok(hub.stats().connections >= CLIENTS * 0.9, `${hub.stats().connections} connections`)
  assert.equal(hub.stats().closes.client, 0)
}

/** Passes bytes on, and cuts every connection at one age. */
async function limitedProxy(t: TestContext, upstream: number, limit: number): Promise<number> {
  const server = createTcpServer((client) => {
    const up = connectTcp(upstream, '127.0.0.1')
    const end = (): void => {
      clearTimeout(timer)
      client.destroy()
      up.destroy()
    }
    const timer = setTimeout(end, limit)
    for (const socket of [client, up]) socket.on('error', end).on('close', end)
    client.pipe(up).pipe(client)
  })
  t.after(() => server.close())
  return listen(server)
}

const behind = (t: TestContext, port: number, options: Partial<CrowdOptions> = {}): (() => void) =>
  crowd(t, `http://127.0.0.1:${port}/`, { size: CLIENTS, over: 4_000, ...options })

describe('hub.diagnose() over real connections', { concurrency: true, timeout: 120_000 }, () => {
  test('nginx with proxy_read_timeout 5s and no heartbeat: the idle timeout, and the heartbeat that cures it', {
    ...need('nginx', nginx),
  }, async (t) => {
    const sick = await serveStreams(t, { heartbeat: Infinity })
    const stop = behind(t, (await nginxProxy(t, sick.port, 'proxy_read_timeout 5s;')).port)
    const finding = only(await findings(sick.hub), 'idle-timeout', 5_000)
    stop()
    t.diagnostic(finding.message)
    t.diagnostic(finding.cure)
    assert.equal(finding.evidence.heartbeatMs, 2_500)
    const cured = await serveStreams(t, { heartbeat: finding.evidence.heartbeatMs as number })
    behind(t, (await nginxProxy(t, cured.port, 'proxy_read_timeout 5s;')).port)
    await quiet(cured.hub, 12_000)
  })

  test('a proxy that cuts at 3 s whatever is sent: the maximum duration, and the maxAge that comes before', async (t) => {
    const sick = await serveStreams(t, { heartbeat: 700 })
    const stop = behind(t, await limitedProxy(t, sick.port, 3_000))
    const finding = only(await findings(sick.hub), 'maximum-duration', 3_000)
    stop()
    t.diagnostic(finding.message)
    t.diagnostic(finding.cure)
    const cured = await serveStreams(t, { heartbeat: 700, maxAge: finding.evidence.maxAgeMs as number })
    behind(t, await limitedProxy(t, cured.port, 3_000))
    await pause(10_000)
    assert.deepEqual(cured.hub.diagnose(), [])
    assert.equal(cured.hub.stats().closes.client, 0)
    assert.ok(cured.hub.stats().closes.rotated > CLIENTS)
  })

  test('nginx that buffers, and pages that give up after 2 s: held back, until X-Accel-Buffering counts', {
    ...need('nginx', nginx),
  }, async (t) => {
    const sick = await serveStreams(t, { heartbeat: 500 })
    const buffering = 'proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;'
    const stop = behind(t, (await nginxProxy(t, sick.port, buffering)).port, { watchdog: 2_000 })
    const finding = only(await findings(sick.hub), 'held-back', 2_000)
    stop()
    t.diagnostic(finding.message)
    t.diagnostic(finding.cure)
    assert.equal(finding.evidence.resumed, 0)
    const cured = await serveStreams(t, { heartbeat: 500 })
    behind(t, (await nginxProxy(t, cured.port, 'proxy_buffering on;')).port, { watchdog: 2_000 })
    await quiet(cured.hub, 10_000)
  })

  test('a compression middleware that compresses streams: compressed, until it leaves them alone', async (t) => {
    const serveCompressed = (options: compression.CompressionOptions, cacheControl: string) => {
      const compress = compression({ threshold: 0, ...options })
      return serve(t, (hub, req, res) => {
        const headers = { 'Cache-Control': cacheControl }
        // Express' types; node:http's objects are what it works on.
        compress(req as never, res as never, () => void hub.connect(req, res, { channels: ['a'], headers }))
      })
    }
    const clients = { over: 500, headers: { 'Accept-Encoding': 'gzip' } }
    const sick = await serveCompressed({ filter: () => true }, 'no-cache')
    behind(t, sick.port, clients)
    const finding = only(await findings(sick.hub), 'compressed')
    t.diagnostic(finding.message)
    const noStreams = {
      filter: (_: unknown, res: { getHeader(name: string): unknown }) =>
        res.getHeader('Content-Type') !== 'text/event-stream',
    }
    const cured = await serveCompressed(noStreams, 'no-cache')
    behind(t, cured.port, clients)
    await quiet(cured.hub, 3_000)
  })

  test('clients that turn away from the response at once: rejected, until they read it', async (t) => {
    const sick = await serveStreams(t, {})
    const stop = behind(t, sick.port, { size: 20, over: 500, retry: 500, rejects: true })
    const finding = only(await findings(sick.hub), 'rejected')
    stop()
    t.diagnostic(finding.message)
    const cured = await serveStreams(t, {})
    behind(t, cured.port)
    await quiet(cured.hub, 7_000)
  })
})

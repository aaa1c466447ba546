// What the web-platform-tests expect of an EventSource, asked of our server in Chromium: status, type, redirects, other origins
// and credentials, ids, retry, reconnection, and what arrives of odd data. Re-created from the specification (HTML, section 9.2).

import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { after, before, describe, test } from 'node:test'
import type { Page } from 'playwright-core'
import { type Connection, createHub, type EventInput, type Hub } from '../../src/index.ts'
import { openPage } from '../support/chromium.ts'
import { findChromium, need } from '../support/need.ts'
import { eventually, serve } from '../support/server.ts'

interface Seen {
  url: string
  at: number
  headers: IncomingMessage['headers']
}

interface Received {
  type: string
  data: string
  lastEventId: string
  origin: string
}

type Cleanup = () => unknown

describe('an EventSource in Chromium', { ...need('Chromium', findChromium()), timeout: 120_000 }, () => {
  const cleanups: Cleanup[] = []
  const t = { after: (cleanup: Cleanup) => void cleanups.push(cleanup) }
  const seen: Seen[] = []
  let page: Page
  let hub: Hub
  let base = ''
  let other = ''
  /** Which hub a request is for may be decided by a test. */
  let route: (req: IncomingMessage, res: ServerResponse, url: URL) => boolean = () => false
  let last = 0

  const answer = (mine: Hub, req: IncomingMessage, res: ServerResponse): void => {
    const url = new URL(req.url ?? '/', 'http://x')
    if (url.pathname === '/')
      return void res.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html>')
    if (url.pathname === '/favicon.ico') return void res.writeHead(404).end()
    seen.push({ url: req.url ?? '', at: performance.now(), headers: req.headers })
    if (route(req, res, url)) return
    mine.connect(req, res, {
      channels: [url.searchParams.get('channel') ?? 'a'],
      cors: { origin: base, credentials: true },
    })
  }

  before(async () => {
    const first = await serve(t, (mine, req, res) => answer(mine, req, res), { retry: 100 })
    const second = await serve(t, (_, req, res) => answer(first.hub, req, res))
    hub = first.hub
    hub.on('open', (connection) => void opened.set(connection.id, connection as Connection))
    hub.on('close', ({ id }) => void opened.delete(id))
    base = first.url.slice(0, -1)
    // Another origin, and another site, so that cookies have to be allowed.
    other = second.url.slice(0, -1)
    page = await openPage(t)
    await page.goto(`${base}/`)
  })
  /** The connections that are open, the newest last. */
  const opened = new Map<string, Connection>()
  const newest = (): Connection => [...opened.values()].at(-1) as Connection // a test has opened one
  const dropAll = (): void => {
    for (const connection of [...opened.values()]) connection.close()
  }
  after(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup()
  })

  /** A new EventSource; what becomes of it is kept under its name. */
  async function open(
    path: string,
    init: { withCredentials?: boolean } = {},
    names: string[] = [],
  ): Promise<string> {
    last += 1
    const name = `s${last}`
    const url = path.startsWith('http') ? path : `${base}${path}`
    // As text: what the compiler adds to functions is not in the page.
    await page.evaluate(`{
      const source = new EventSource(${JSON.stringify(url)}, ${JSON.stringify(init)})
      const log = (window.${name} = { states: [], got: [], source })
      source.onopen = () => log.states.push('open ' + source.readyState)
      source.onerror = () => log.states.push('error ' + source.readyState)
      for (const type of ${JSON.stringify(['message', ...names])}) {
        source.addEventListener(type, ({ type, data, lastEventId, origin }) => log.got.push({ type, data, lastEventId, origin }))
      }
    }`)
    return name
  }
  const states = (name: string): Promise<string[]> => page.evaluate<string[]>(`${name}.states`)
  const got = (name: string): Promise<Received[]> => page.evaluate<Received[]>(`${name}.got`)
  const until = (what: string): Promise<unknown> => page.waitForFunction(what, undefined, { timeout: 10_000 })
  const close = (name: string): Promise<unknown> => page.evaluate(`${name}.source.close()`)
  const asked = (path: string): Seen[] => seen.filter(({ url }) => url.startsWith(path))

  test('asks with Accept and without a cache, and opens on 200 and text/event-stream', async () => {
    const name = await open('/ask?channel=ask')
    await until(`${name}.states.length > 0`)
    assert.deepEqual(await states(name), ['open 1'])
    const [request] = asked('/ask')
    assert.equal(request?.headers.accept, 'text/event-stream')
    assert.equal(request?.headers['cache-control'], 'no-cache')
    assert.equal(request?.headers['last-event-id'], undefined)
    await close(name)
    await eventually(() => hub.stats().connections === 0)
  })

  test('any status but 200, and any other type, ends it for good; 200 that ends does not', async () => {
    route = (_, res, url) => {
      const status = /^\/status\/(\d+)/.exec(url.pathname)?.[1]
      if (status) res.writeHead(Number(status), { 'Content-Type': 'text/event-stream' }).end()
      else if (url.pathname === '/type')
        res.writeHead(200, { 'Content-Type': 'text/plain' }).end('data: x\n\n')
      else return false
      return true
    }
    const paths = [
      '/status/204',
      '/status/205',
      '/status/404',
      '/status/410',
      '/status/429',
      '/status/503',
      '/type',
    ]
    for (const path of paths) {
      const name = await open(path)
      await until(`${name}.states.length > 0`)
      assert.deepEqual(await states(name), ['error 2'], path)
    }
    const ending = await open('/status/200')
    await until(`${ending}.states.filter((one) => one === 'error 0').length >= 2`)
    assert.equal((await states(ending))[0], 'open 1')
    await close(ending)
    for (const path of paths) assert.equal(asked(path).length, 1, `${path} was asked for again`)
  })

  test('so a refusal in its retry form brings it back, and an ended channel does not', async () => {
    const limited = createHub({ limits: { connections: 1, reconnectOver: 100 } })
    route = (req, res, url) => {
      if (url.pathname === '/limited') limited.connect(req, res, { channels: ['a'] })
      else if (url.pathname === '/ended') hub.connect(req, res, { channels: ['ended'], from: 'oldest' })
      else return false
      return true
    }
    const holder = await open('/limited')
    await until(`${holder}.states.length === 1`)
    const refused = await open('/limited')
    await until(`${refused}.states.includes('error 0')`)
    await close(holder)
    // It is asked to come back after one second, at the most 1.1.
    await eventually(() => limited.connections().length === 1)
    assert.ok(!(await states(refused)).includes('error 2'))
    await close(refused)
    await limited.close()

    await hub.publish('ended', { data: 'only' })
    await hub.channel('ended').end()
    const ended = await open('/ended', {}, ['end'])
    await until(`${ended}.states.includes('error 2')`)
    assert.deepEqual(
      (await got(ended)).map(({ type, data }) => [type, data]),
      [
        ['message', 'only'],
        ['end', ''],
      ],
    )
    assert.equal(asked('/ended').length, 2)
  })

  test('redirects are followed, and the reconnection asks where they led', async () => {
    route = (_, res, url) => {
      const status = /^\/redirect\/(\d+)/.exec(url.pathname)?.[1]
      if (!status) return false
      res.writeHead(Number(status), { Location: `/events?channel=redirect&${status}` }).end()
      return true
    }
    for (const status of [301, 302, 303, 307, 308]) {
      const name = await open(`/redirect/${status}`)
      await until(`${name}.states.length > 0`)
      await hub.publish('redirect', { data: String(status) })
      await until(`${name}.got.length === 1`)
      assert.equal((await got(name))[0]?.origin, base)
      await close(name)
    }
    await eventually(() => hub.stats().connections === 0)
    const name = await open('/redirect/307?again')
    await until(`${name}.states.length > 0`)
    dropAll()
    // The request that is made again is the redirected one: a load balancer that redirects is asked once per page.
    await eventually(
      () => asked('/events?channel=redirect&307').length === 3 && hub.stats().connections === 1,
    )
    assert.equal(asked('/redirect/307?again').length, 1)
    await close(name)
    await eventually(() => hub.stats().connections === 0)
  })

  test('another origin reads only where CORS allows it, and sends cookies only where both sides want it', async () => {
    await page.evaluate(`document.cookie = 'who=ada; SameSite=Lax'`)
    const plain = await open(`${other}/events?channel=cors&plain`)
    await until(`${plain}.states.length > 0`)
    assert.deepEqual(await states(plain), ['open 1'])
    assert.equal(asked('/events?channel=cors&plain')[0]?.headers.cookie, undefined)
    assert.equal(asked('/events?channel=cors&plain')[0]?.headers.origin, base)
    // The same host on another port: another origin, the same site.
    const cookies = await open(`${other}/events?channel=cors&cookies`, { withCredentials: true })
    await until(`${cookies}.states.length > 0`)
    assert.deepEqual(await states(cookies), ['open 1'])
    assert.equal(asked('/events?channel=cors&cookies')[0]?.headers.cookie, 'who=ada')
    await hub.publish('cors', { data: 'x' })
    await until(`${cookies}.got.length === 1 && ${plain}.got.length === 1`)
    assert.equal((await got(plain))[0]?.origin, other)
    route = (req, res, url) => {
      if (url.pathname === '/closed') hub.connect(req, res, { channels: ['cors'] })
      else if (url.pathname === '/nocookies') hub.connect(req, res, { channels: ['cors'], cors: true })
      else return false
      return true
    }
    for (const [path, init] of [
      ['/closed', {}],
      ['/nocookies', { withCredentials: true }],
    ] as const) {
      const refused = await open(`${other}${path}`, init)
      await until(`${refused}.states.length > 0`)
      assert.deepEqual(await states(refused), ['error 2'], path)
    }
    await close(plain)
    await close(cookies)
    await eventually(() => hub.stats().connections === 0)
  })

  test('ids stay from event to event, come back on reconnection as they were, and are reset by an empty one', async () => {
    route = () => false
    const name = await open('/events?channel=ids')
    await until(`${name}.states.length === 1`)
    const minted = await hub.publish('ids', { data: '1' })
    await until(`${name}.got.length === 1`)
    assert.equal((await got(name))[0]?.lastEventId, minted)
    const requests = (): Seen[] => asked('/events?channel=ids')
    const reconnected = async (n: number): Promise<string | undefined> => {
      dropAll()
      await eventually(() => requests().length === n && hub.stats().connections === 1)
      return requests()[n - 1]?.headers['last-event-id'] as string | undefined
    }
    assert.equal(await reconnected(2), minted)
    for (const [index, id] of ['é', '€ 7', '🌊', '0', 'a,b', 'ı'].entries()) {
      await hub.publish('ids', { data: id, id })
      await until(`${name}.got.length === ${index + 2}`)
      const header = await reconnected(index + 3)
      assert.equal(Buffer.from(header ?? '', 'latin1').toString(), id)
      assert.equal((await got(name)).at(-1)?.lastEventId, id)
    }
    // A private event without an id leaves the last one standing; an empty one resets it.
    newest().send({ data: 'none' })
    newest().send({ data: 'reset', id: '' })
    await until(`${name}.got.length === 9`)
    assert.deepEqual(
      (await got(name)).slice(-2).map(({ lastEventId }) => lastEventId),
      ['ı', ''],
    )
    assert.equal(await reconnected(9), undefined)
    await close(name)
    await eventually(() => hub.stats().connections === 0)
  })

  test('the reconnection time is the one told last, and every reconnection resumes exactly', async () => {
    const name = await open('/events?channel=retry')
    await until(`${name}.states.length === 1`)
    const requests = (): Seen[] => asked('/events?channel=retry')
    const numbers: string[] = []
    for (const [n, retry] of [500, 1_500, 0].entries()) {
      newest().send({ retry })
      await hub.publish('retry', { data: `before ${n}` })
      await until(`${name}.got.length === ${2 * n + 1}`)
      const from = performance.now()
      dropAll()
      await hub.publish('retry', { data: `meanwhile ${n}` })
      await until(`${name}.got.length === ${2 * n + 2}`)
      numbers.push(`before ${n}`, `meanwhile ${n}`)
      const took = (requests().at(-1)?.at ?? 0) - from
      assert.ok(took >= retry - 20, `it came back after ${took} ms of ${retry}`)
    }
    assert.deepEqual(
      (await got(name)).map(({ data }) => data),
      numbers,
    )
    assert.deepEqual(new Set(await states(name)), new Set(['open 1', 'error 0']))
    await close(name)
    await eventually(() => hub.stats().connections === 0)
  })

  test('odd data arrives as it was published', async () => {
    const events: [EventInput, type: string, data: string][] = [
      [{ data: '' }, 'message', ''],
      [{ data: ' leading' }, 'message', ' leading'],
      [{ data: 'trailing\n' }, 'message', 'trailing\n'],
      [{ data: '\n' }, 'message', '\n'],
      [{ data: 'a\nb\r\nc\rd' }, 'message', 'a\nb\nc\nd'],
      [{ data: 'nul \0 in the middle' }, 'message', 'nul \0 in the middle'],
      [{ data: '\ufeffbom' }, 'message', '\ufeffbom'],
      [{ data: 'a\u2028b\u2029c\u0085d' }, 'message', 'a\u2028b\u2029c\u0085d'],
      [{ data: 'data: x\n\nevent: evil' }, 'message', 'data: x\n\nevent: evil'],
      [{ data: '🌊 \ud800' }, 'message', '🌊 \ufffd'],
      [{ data: ':comment' }, 'message', ':comment'],
      [{ event: 'named', data: 'x' }, 'named', 'x'],
      [{ event: '', data: 'unnamed' }, 'message', 'unnamed'],
      [{ data: 'x', comment: 'a\n\ndata: evil' }, 'message', 'x'],
    ]
    const name = await open('/events?channel=data', {}, ['named', 'evil'])
    await until(`${name}.states.length === 1`)
    for (const [event] of events) await hub.publish('data', event)
    // No data: nothing fires.
    await hub.publish('data', { event: 'named', comment: 'no data' })
    await hub.publish('data', { data: 'last' })
    await until(`${name}.got.length > ${events.length}`)
    assert.deepEqual(
      (await got(name)).map(({ type, data }) => [type, data]),
      [...events.map(([, type, data]) => [type, data]), ['message', 'last']],
    )
    await close(name)
    await eventually(() => hub.stats().connections === 0)
  })

  test('close() is seen by the server, and it does not come back', async () => {
    const name = await open('/events?channel=close')
    await until(`${name}.states.length === 1`)
    await close(name)
    await eventually(() => hub.stats().connections === 0)
    assert.equal(asked('/events?channel=close').length, 1)
    assert.equal(await page.evaluate(`${name}.source.readyState`), 2)
  })
})

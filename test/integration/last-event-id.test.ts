// Last-Event-ID as it really arrives: the bytes that clients, good and hostile, put on the wire.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Gap } from '../../src/index.ts'
import { openPage } from '../support/chromium.ts'
import { Client } from '../support/client.ts'
import { findChromium, need } from '../support/need.ts'
import { RawClient } from '../support/raw.ts'
import { serve } from '../support/server.ts'

test('hostile last event IDs of every kind are a miss: told, harmless to everybody else, never the history', async (t) => {
  const { hub, port, url } = await serve(t, (hub, req, res) => {
    hub.connect(req, res, { channels: ['a'], lastEventIdParam: 'lastEventId' })
  })
  const witness = await Client.open(url)
  for (let n = 1; n <= 5; n += 1) await hub.publish('a', { data: `secret ${n}` })
  const newest = hub.position
  const epoch = newest.slice(0, newest.indexOf('-'))
  const header = (value: string): string => `Last-Event-ID: ${value}\r\n`
  const hostile = {
    duplicated: header(newest) + header(newest),
    'duplicated, joined by hand': header(`${newest}, ${newest}`),
    'of another life': header('aaaaaaaaaa-3'),
    'ahead of the log': header(`${epoch}-999`),
    'beyond numbers': header(`${epoch}-${'9'.repeat(40)}`),
    negative: header(`${epoch}--1`),
    'in another base': header(`${epoch}-0x1`),
    'no UTF-8': header('\xff\xfe\xfd'),
    'UTF-8 cut short': header('\xd0'),
    'markup and quotes': header('"><script>alert(1)</script>'),
    'a field of its own': header('x data: injected'),
    'line separators': header('a\xe2\x80\xa8data: x'),
    oversized: header('x'.repeat(10_000)),
    'a wildcard': header('*'),
    'in the query': '',
    'twice in the query': '',
  }
  for (const [kind, lines] of Object.entries(hostile)) {
    const raw = await RawClient.open(port)
    const query = {
      'in the query': '?lastEventId=%00%0adata:%20injected',
      'twice in the query': `?lastEventId=${newest}&lastEventId=${newest}`,
    }[kind]
    raw.write(`GET /${query ?? ''} HTTP/1.1\r\nHost: x\r\n${lines}\r\n`)
    await raw.until((text) => text.includes('event: gap\n') && text.endsWith('\n\n'))
    assert.match(raw.text, /^HTTP\/1\.1 200 OK\r\n/, kind)
    assert.match(raw.text, /\r\nSluice-Resume: gap\r\n/, kind)
    assert.doesNotMatch(raw.text, /secret/, kind)
    const body = raw.text.slice(raw.text.indexOf('\r\n\r\n') + 4)
    const blocks = body.split('\n\n')
    // The comment, the gap, nothing else; and whatever the id held stays within its JSON string.
    assert.equal(blocks.length, 3, `${kind}: ${body}`)
    const line = blocks[1]?.split('\n').find((one) => one.startsWith('data: ')) ?? ''
    const { requested, newest: told } = JSON.parse(Buffer.from(line.slice(6), 'latin1').toString()) as Gap
    assert.equal(told, newest)
    assert.ok(requested === null || requested.length <= 128, kind)
    raw.destroy()
  }
  await hub.publish('a', { data: 'after' })
  await witness.count(6)
  assert.deepEqual(witness.data, [1, 2, 3, 4, 5].map((n) => `secret ${n}`).concat('after'))
})

test('a header too large for HTTP is answered by node:http, and reaches nobody', async (t) => {
  const { hub, port } = await serve(t, (hub, req, res) => void hub.connect(req, res, { channels: ['a'] }))
  const raw = await RawClient.open(port)
  raw.write(`GET / HTTP/1.1\r\nHost: x\r\nLast-Event-ID: ${'x'.repeat(100_000)}\r\n\r\n`)
  await raw.until((text) => text.startsWith('HTTP/1.1 431 '))
  assert.equal(hub.stats().opened, 0)
  raw.destroy()
})

test('an empty last event ID is none; the query parameter serves where there is no header; the header wins', async (t) => {
  const { hub, url } = await serve(t, (hub, req, res) => {
    hub.connect(req, res, { channels: ['a'], lastEventIdParam: 'after', from: 'oldest' })
  })
  const ids: string[] = []
  for (let n = 1; n <= 4; n += 1) ids.push(await hub.publish('a', { data: String(n) }))
  const open = async (query: string, header?: string): Promise<[unknown, string[]]> => {
    const client = await Client.open(url + query, {
      headers: header === undefined ? {} : { 'last-event-id': header },
    })
    await client.until(() => client.data.at(-1) === '4')
    client.drop()
    return [client.headers['sluice-resume'], client.data]
  }
  assert.deepEqual(await open(''), ['none', ['1', '2', '3', '4']])
  assert.deepEqual(await open('', ''), ['none', ['1', '2', '3', '4']])
  assert.deepEqual(await open('?after='), ['none', ['1', '2', '3', '4']])
  assert.deepEqual(await open(`?x=1&after=${ids[1]}`), ['full', ['3', '4']])
  assert.deepEqual(await open(`?after=${ids[0]}`, ids[2]), ['full', ['4']])
})

test("a publisher's id beyond Latin-1 resumes from Chromium, which sends its UTF-8 bytes", {
  ...need('Chromium', findChromium()),
  timeout: 60_000,
}, async (t) => {
  const { hub, server, url } = await serve(t, (hub, req, res) => {
    if (req.url === '/events') hub.connect(req, res, { channels: ['a'], retry: 50 })
    else {
      res.setHeader('Content-Type', 'text/html').end(`<!doctype html><script>
        const got = []
        let opens = 0
        const source = new EventSource('/events')
        source.onopen = () => { opens += 1 }
        source.onmessage = ({ data, lastEventId }) => got.push(data + ' ' + lastEventId)
        source.addEventListener('gap', () => got.push('gap'))
      </script>`)
    }
  })
  const page = await openPage(t)
  await page.goto(url)
  await page.waitForFunction('opens === 1')
  await hub.publish('a', { data: '1', id: 'заказ №7 – ☃ 𝄞' })
  await page.waitForFunction('got.length === 1')
  server.closeAllConnections()
  await hub.publish('a', { data: '2', id: 'b' })
  await page.waitForFunction('opens === 2')
  await page.waitForFunction('got.length === 2')
  assert.deepEqual(await page.evaluate('got'), ['1 заказ №7 – ☃ 𝄞', '2 b'])
})

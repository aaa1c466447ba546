// Every attack of the corpus is either refused at the caller, with a code, or harmless: what real clients dispatch is exactly what was
// published, one event for one, and nothing else of them moves.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { createParser } from 'eventsource-parser'
import { EventSource } from 'undici'
import { createDecoder } from '../../src/event-stream.ts'
import { createHub, SluiceError } from '../../src/index.ts'
import { openPage } from '../support/chromium.ts'
import { findChromium, findProgram, need } from '../support/need.ts'
import { eventually, serve } from '../support/server.ts'
import { attacks } from './injection.ts'

interface Dispatched {
  type: string
  data: string
  id: string
}

const curl = findProgram('curl')
/** Line ends as every client gives them back, and what UTF-8 cannot say. */
const asReceived = (text: string): string => text.replace(/\r\n|\r/g, '\n').replace(/\p{Cs}/gu, '\ufffd')

/** Publishes the corpus; what the clients must dispatch, by the ids of the events. */
async function publishAll(
  publish: ReturnType<typeof createHub>['publish'],
): Promise<{ expected: Dispatched[]; refused: number }> {
  const expected: Dispatched[] = []
  let refused = 0
  for (const { what, event } of attacks()) {
    try {
      const id = await publish('a', event)
      const { data } = event
      expected.push({
        type: asReceived(event.event || 'message'),
        data: asReceived(typeof data === 'string' ? data : JSON.stringify(data)),
        id: asReceived(id),
      })
    } catch (error) {
      assert.ok(error instanceof SluiceError, `${what}: ${String(error)}`)
      refused += 1
    }
  }
  expected.push({ type: 'message', data: 'the end', id: await publish('a', { data: 'the end' }) })
  return { expected, refused }
}

const limits = { maxEvents: 10_000, maxBytes: 50_000_000 }
const ended = (got: readonly Dispatched[]): boolean => got.at(-1)?.data === 'the end'

test('line breaks in names and ids are refused, and nothing else than a break in them is needed to be', async () => {
  const hub = createHub()
  hub.on('error', () => {})
  for (const { what, event } of attacks()) {
    const outcome = await hub.publish('a', event).then(
      () => 'published',
      (error: SluiceError) => error.code,
    )
    for (const field of ['event', 'id'] as const) {
      const value = event[field]
      if (typeof value === 'string' && /[\r\n]/.test(value)) {
        assert.equal(outcome, field === 'id' ? 'SLUICE_BAD_ID' : 'SLUICE_BAD_EVENT_NAME', what)
      }
    }
    if (what.startsWith('retry')) assert.equal(outcome, 'SLUICE_BAD_RETRY', what)
    // Data and comments carry anything.
    if (/^(data|comment): |^only .* as (data|comment)$/.test(what)) assert.equal(outcome, 'published', what)
  }
})

test('undici, eventsource-parser, our own decoder and curl see what was published and nothing else', {
  ...need('curl', curl),
  timeout: 120_000,
}, async (t) => {
  const { hub, url } = await serve(
    t,
    (mine, req, res) => void mine.connect(req, res, { channels: ['a'], from: 'oldest' }),
    { channelDefaults: limits },
  )
  hub.on('error', () => {})
  const { expected, refused } = await publishAll(hub.publish.bind(hub))
  assert.ok(expected.length > 300 && refused > 130, `${expected.length} published, ${refused} refused`)

  // As bytes, by curl, which ends when the hub closes.
  const raw = promisify(execFile)(curl as string, ['-sSN', '--max-time', '60', url], {
    encoding: 'buffer',
    maxBuffer: 100_000_000,
  })
  const names = [...new Set(expected.map(({ type }) => type))]
  const native: Dispatched[] = []
  const source = new EventSource(url)
  for (const name of [...names, 'evil']) {
    source.addEventListener(name, (event) => {
      const { type, data, lastEventId } = event as MessageEvent // all of an EventSource's own but open and error are
      native.push({ type, data, id: lastEventId })
    })
  }
  await eventually(() => ended(native))
  // curl may have taken its time to start.
  await eventually(() => hub.connections().filter(({ lag }) => lag.events === 0).length === 2)
  source.close()
  await hub.close({ within: 5_000 })
  const { stdout } = await raw

  const own: Dispatched[] = []
  const decoder = createDecoder(({ event, data, lastEventId }) =>
    own.push({ type: event, data, id: lastEventId }),
  )
  decoder.write(stdout)
  const parsed: Dispatched[] = []
  let last = ''
  const retries: number[] = []
  const parser = createParser({
    onEvent: ({ event, data, id }) => {
      last = id ?? last
      parsed.push({ type: event ?? 'message', data, id: last })
    },
    onRetry: (ms) => retries.push(ms),
  })
  parser.feed(stdout.toString())
  assert.deepEqual(own, expected)
  assert.deepEqual(parsed, expected)
  assert.deepEqual(native, expected)
  // The farewell's, of the closing hub.
  assert.equal(retries.length, 1)
  t.diagnostic(`${expected.length} events published, ${refused} refused at the caller`)
})

test('Chromium sees what was published and nothing else', {
  ...need('Chromium', findChromium()),
  timeout: 120_000,
}, async (t) => {
  const { hub, url } = await serve(
    t,
    (mine, req, res) => {
      if (req.url !== '/events')
        return void res.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html>')
      mine.connect(req, res, { channels: ['a'], from: 'oldest' })
    },
    { channelDefaults: limits },
  )
  hub.on('error', () => {})
  const { expected } = await publishAll(hub.publish.bind(hub))
  const page = await openPage(t)
  await page.goto(url)
  const names = [...new Set([...expected.map(({ type }) => type), 'evil'])]
  await page.evaluate(`{
    window.got = []
    const source = new EventSource('/events')
    for (const name of ${JSON.stringify(names)}) {
      source.addEventListener(name, ({ type, data, lastEventId }) => window.got.push({ type, data, id: lastEventId }))
    }
  }`)
  await page.waitForFunction(`window.got.at(-1)?.data === 'the end'`, undefined, { timeout: 60_000 })
  assert.deepEqual(await page.evaluate<Dispatched[]>('window.got'), expected)
})

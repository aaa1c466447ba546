// The lab page, run for real: its server on a free port, real sockets, a real file, and, where there is one, a real browser.

import assert from 'node:assert/strict'
import { appendFile, mkdtemp, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createLab, type LabOptions } from '../../docs/examples/lab/app.ts'
import { openPage } from '../support/chromium.ts'
import { Client } from '../support/client.ts'
import { findChromium, need } from '../support/need.ts'

/** A lab on a free port, gone after the test; its URL, without the slash at the end. */
async function openLab(t: TestContext, options: LabOptions = {}): Promise<string> {
  const lab = createLab(options)
  t.after(() => lab.close())
  const url = await lab.listen(0)
  return url.slice(0, -1)
}

async function read(t: TestContext, url: string, headers: Record<string, string> = {}): Promise<Client> {
  const client = await Client.open(url, { headers })
  t.after(() => client.drop())
  return client
}

function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
}

/** The events of one name that a client has got, their data parsed. */
function parsed<T>({ events }: Client, name: string): T[] {
  return events.filter(({ event }) => event === name).map(({ data }) => JSON.parse(data))
}

/** The first event of that name, waited for. */
async function first<T>(client: Client, name: string): Promise<T> {
  await client.until(() => client.events.some(({ event }) => event === name), `an event "${name}"`)
  return parsed<T>(client, name)[0] as T // there is one, as was waited for
}

interface Hello {
  connection: string
  token: string
  lastEventId: string
}

test('figures of machine, process and hub arrive once a second', { timeout: 10_000 }, async (t) => {
  const lab = await openLab(t)
  const start = performance.now()
  const client = await read(t, `${lab}/events?channels=figures`)
  await first(client, 'figures')
  assert.ok(performance.now() - start < 3_000, 'the first within three seconds')
  await client.until(() => parsed(client, 'figures').length >= 2)
  const [one, two] = parsed<Record<string, number> & { n: number; cpu: object; loop: { p99: number } }>(
    client,
    'figures',
  )
  assert.equal(two?.n, (one?.n ?? 0) + 1)
  assert.equal(two?.connections, 1)
  assert.ok((two?.loop.p99 ?? -1) >= 0)
  assert.deepEqual(Object.keys(two?.cpu ?? {}), ['machine', 'process'])
})

test('a published event reaches a reader with an id, as JSON or as a form', async (t) => {
  const lab = await openLab(t)
  const client = await read(t, `${lab}/events?channels=events,names`)
  const json = await post(`${lab}/publish`, { event: 'greeting', data: { to: 'you' } })
  assert.equal(json.status, 200)
  const { id } = (await json.json()) as { id: string }
  const form = await fetch(`${lab}/publish`, {
    method: 'POST',
    body: new URLSearchParams({ event: '', data: 'a\nb', id: 'order-7' }),
  })
  assert.deepEqual(await form.json(), { id: 'order-7' })
  await client.until(() => client.events.some(({ data }) => data === 'a\nb'))
  // The name comes first: an EventSource must hear of it before it can listen.
  const [, name, greeting, message] = client.events // the first is `hello`
  assert.deepEqual([name?.event, name?.data], ['name', 'greeting'])
  assert.deepEqual(greeting, { event: 'greeting', data: '{"to":"you"}', lastEventId: id })
  assert.deepEqual(message, { event: 'message', data: 'a\nb', lastEventId: 'order-7' })
})

test('a publish that cannot be is answered 400 with its code', async (t) => {
  const lab = await openLab(t)
  const cases: [body: unknown, code: string][] = [
    [{ event: 'a\nb', data: 'x' }, 'SLUICE_BAD_EVENT_NAME'],
    [{ data: 'x', id: ' x' }, 'SLUICE_BAD_ID'],
    [{}, 'SLUICE_BAD_EVENT'],
    [{ event: 'hello', data: 'x' }, 'LAB_RESERVED_NAME'],
    [[], 'LAB_BAD_JSON'],
  ]
  for (const [body, code] of cases) {
    const response = await post(`${lab}/publish`, body)
    assert.equal(response.status, 400, code)
    const answer = (await response.json()) as { code: string; message: string }
    assert.equal(answer.code, code)
    assert.ok(answer.message.length > 10)
  }
})

test('another site, another method, another path, a body too large: each is refused', async (t) => {
  const lab = await openLab(t)
  const status = async (response: Promise<Response>): Promise<number> => (await response).status
  assert.equal(await status(post(`${lab}/publish`, { data: 'x' }, { Origin: 'http://evil.example' })), 403)
  assert.equal(await status(post(`${lab}/publish`, { data: 'x' }, { Origin: lab })), 200)
  assert.equal(await status(post(`${lab}/crowd`, {}, { Origin: 'null' })), 403)
  assert.equal(await status(fetch(`${lab}/publish`)), 405)
  assert.equal(await status(fetch(`${lab}/`, { method: 'DELETE' })), 405)
  assert.equal(await status(fetch(`${lab}/page/lab.js`)), 404)
  assert.equal(await status(fetch(`${lab}/..%2fapp.ts`)), 404)
  assert.equal(await status(post(`${lab}/publish`, { data: 'x'.repeat(65_536) })), 413)
  assert.equal(await status(fetch(`${lab}/publish`, { method: 'POST', body: 'x' })), 415)
  const foreign = await Client.open(`${lab}/events`, { headers: { Host: 'rebound.example' } })
  assert.equal(foreign.status, 421)
})

test('lines appended to the followed file arrive, each once its newline has come', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-lab-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = join(folder, 'app.log')
  await writeFile(file, 'before\n')
  const lab = await openLab(t, { follow: file })
  const client = await read(t, `${lab}/events?channels=lines`)
  const lines = (): string[] => client.events.filter(({ event }) => event === 'line').map(({ data }) => data)
  const arrived = (...expected: string[]): Promise<void> =>
    client.until(() => lines().length >= expected.length).then(() => assert.deepEqual(lines(), expected))

  await appendFile(file, 'one\ntwo, in ')
  await arrived('one')
  await appendFile(file, 'two pieces: ✓\r\n')
  await arrived('one', 'two, in two pieces: ✓')

  await truncate(file)
  await client.until(() => client.text.includes('truncated'))
  await appendFile(file, 'after truncation\n')
  await arrived('one', 'two, in two pieces: ✓', 'after truncation')

  await rename(file, `${file}.1`)
  await appendFile(`${file}.1`, 'late, to the old one\n')
  await writeFile(file, 'of the new one\n')
  await arrived('one', 'two, in two pieces: ✓', 'after truncation', 'late, to the old one', 'of the new one')

  await appendFile(file, `${'x'.repeat(20_000)}\nshort\n`)
  await client.until(() => lines().at(-1) === 'short')
  assert.match(lines().at(-2) ?? '', /^x{8192} … \(11808 bytes more\)$/)
})

test('a file that does not exist yet is followed from its beginning once it does', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-lab-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = join(folder, 'later.log')
  const lab = await openLab(t, { follow: file })
  const client = await read(t, `${lab}/events?channels=lines&from=oldest`)
  assert.equal((await first<{ state: string }>(client, 'follow')).state, 'missing')
  await writeFile(file, 'first\n')
  await client.until(() => client.data.includes('first'))
})

test('a dropped page comes back with its last event ID and gets exactly what it missed', async (t) => {
  const lab = await openLab(t)
  const before = await read(t, `${lab}/events?channels=events`)
  const hello = await first<Hello>(before, 'hello')
  await post(`${lab}/publish`, { data: 'seen' })
  await before.until(() => before.data.includes('seen'))

  const dropped = await post(`${lab}/drop`, { token: hello.token })
  assert.deepEqual(await dropped.json(), { connection: hello.connection })
  await before.ended()
  assert.equal((await post(`${lab}/drop`, { token: hello.token })).status, 404)
  await post(`${lab}/publish`, { data: 'missed 1' })
  await post(`${lab}/publish`, { data: 'missed 2' })

  const { lastEventId } = before
  const after = await read(t, `${lab}/events?channels=events`, { 'Last-Event-ID': lastEventId })
  assert.equal((await first<Hello>(after, 'hello')).lastEventId, lastEventId)
  await post(`${lab}/publish`, { data: 'live' })
  await after.until(() => after.data.includes('live'))
  const names = after.events.map(({ event, data }) => (event === 'hello' ? event : data))
  assert.deepEqual(names, ['missed 1', 'missed 2', 'hello', 'live'])
  assert.equal(after.headers['sluice-resume'], 'full')
})

test('a crowd opens, stalls, is found out, and leaves', { timeout: 60_000 }, async (t) => {
  const lab = await openLab(t, { hub: { stallTimeout: 500 } })
  const watcher = await read(t, `${lab}/events?channels=crowd,closes`)
  const crowd = () => parsed<{ open: number; stalled: number; load: boolean }>(watcher, 'crowd').at(-1)
  const closes = () => parsed<{ counts: Record<string, number> }>(watcher, 'closes').at(-1)?.counts

  assert.equal((await post(`${lab}/crowd`, { action: 'stall', count: 1 })).status, 409)
  assert.equal((await post(`${lab}/crowd`, { action: 'open', count: 1e9 })).status, 400)
  assert.deepEqual(await (await post(`${lab}/crowd`, { action: 'open', count: 50 })).json(), { count: 50 })
  await watcher.until(() => crowd()?.open === 50)

  assert.deepEqual(await (await post(`${lab}/crowd`, { action: 'stall', count: 5 })).json(), { count: 5 })
  await watcher.until(() => crowd()?.stalled === 5)
  await watcher.until(() => closes()?.stalled === 5, 'five closed as stalled')
  await watcher.until(() => crowd()?.open === 45 && crowd()?.load === false)

  assert.deepEqual(await (await post(`${lab}/crowd`, { action: 'close' })).json(), { count: 45 })
  await watcher.until(() => crowd()?.open === 0 && closes()?.client === 45)
})

test('those who stall and read again in time stay', { timeout: 30_000 }, async (t) => {
  const lab = await openLab(t)
  const watcher = await read(t, `${lab}/events?channels=crowd,closes`)
  const crowd = () => parsed<{ open: number; stalled: number; load: boolean }>(watcher, 'crowd').at(-1)
  await post(`${lab}/crowd`, { action: 'open', count: 3 })
  await watcher.until(() => crowd()?.open === 3)
  await post(`${lab}/crowd`, { action: 'stall', count: 3 })
  await watcher.until(() => crowd()?.stalled === 3 && crowd()?.load === true)
  await post(`${lab}/crowd`, { action: 'resume' })
  await watcher.until(() => crowd()?.stalled === 0 && crowd()?.load === false)
  assert.equal(crowd()?.open, 3)
})

test('in a browser: figures are drawn, events shown, and a dropped connection recovers', {
  timeout: 60_000,
  ...need('chromium', findChromium()),
}, async (t) => {
  const lab = await openLab(t)
  const page = await openPage(t)
  page.setDefaultTimeout(15_000)
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('request', (request) => {
    const asked = request.url()
    if (!asked.startsWith(lab) && !asked.startsWith('data:')) complaints.push(`a foreign request: ${asked}`)
  })

  await page.goto(lab)
  await page.locator('#pill[data-phase=open]').waitFor()
  await page.locator('.chart path.line[d*=L]').first().waitFor({ state: 'attached' })

  await page.getByLabel('Event name').fill('greeting')
  await page.getByLabel('Data').fill('<b>hello</b>')
  await page.getByRole('button', { name: 'Publish', exact: true }).click()
  const greeting = page.locator('#feed li', { hasText: 'greeting' })
  await greeting.waitFor()
  assert.equal(await greeting.locator('.data').textContent(), '<b>hello</b>')

  await page.getByRole('button', { name: 'Drop my connection' }).click()
  await page.locator('#pill[data-phase=reconnecting]').waitFor()
  await page.locator('#pill[data-phase=open]').waitFor()
  await page.locator('#resume', { hasText: /^in full: \d+ events? replayed, none lost$/ }).waitFor()
  assert.equal(await page.locator('#reconnects').textContent(), '1')

  await page.getByRole('button', { name: 'Drop it and forget' }).click()
  await page.locator('#resume', { hasText: 'with a gap (evicted) in figures' }).waitFor()
  assert.equal(await page.locator('#feed .event-name', { hasText: /^hole$/ }).count(), 0)
  assert.deepEqual(complaints, [])
})

interface TrialData {
  fault: string
  cured: string | null
  seconds: number
  closedByPeer: number
  findings: { code: string; evidence: Record<string, number> }[]
}

test('a proxy that is configured wrongly is found out, and the cure that is named cures it', {
  timeout: 120_000,
}, async (t) => {
  const url = await openLab(t)
  const client = await read(t, `${url}/events?channels=trial`)
  const latest = (): TrialData | undefined => parsed<TrialData>(client, 'trial').at(-1)
  const until = async (done: (state: TrialData) => boolean, what: string): Promise<TrialData> => {
    const end = performance.now() + 60_000
    for (;;) {
      const state = latest()
      if (state && done(state)) return state
      if (performance.now() > end) throw new Error(`no ${what}; the last: ${JSON.stringify(state)}`)
      await client.count(client.events.length + 1)
    }
  }
  assert.equal((await post(`${url}/trial`, { fault: 'idle' })).status, 200)
  const found = await until(({ findings }) => findings.length > 0, 'finding')
  assert.equal(found.findings[0]?.code, 'idle-timeout')
  const { valueMs = 0 } = found.findings[0]?.evidence ?? {}
  assert.ok(Math.abs(valueMs / 5_000 - 1) < 0.05, `${valueMs}`)

  assert.equal((await post(`${url}/trial`, { cure: true })).status, 200)
  const cured = await until(({ cured, seconds }) => cured !== null && seconds > 0, 'cure')
  assert.match(cured.cured ?? '', /^heartbeat: 2\d\d\d$/)
  // Longer than the proxy endures silence, every client included.
  const seen = client.events.length
  for (let n = 1; n <= 12; n += 1) await client.count(seen + n)
  // One that was on its way when the hub was exchanged may have left at once.
  assert.equal(latest()?.closedByPeer, cured.closedByPeer)
  assert.ok(cured.closedByPeer <= 2, `${cured.closedByPeer}`)
  assert.deepEqual(latest()?.findings, [])

  assert.equal((await post(`${url}/trial`, { fault: 'none' })).status, 200)
  await until(({ fault }) => fault === 'none', 'end')
  assert.equal((await post(`${url}/trial`, { cure: true })).status, 409)
  assert.equal((await post(`${url}/trial`, { fault: 'gremlins' })).status, 400)
})

test('the page shows the hub’s health, and a trial while it runs', {
  ...need('Chromium', findChromium()),
  timeout: 60_000,
}, async (t) => {
  const url = await openLab(t)
  const page = await openPage(t)
  await page.goto(url)
  await page.locator('#counters div:first-child dd', { hasText: /^1$/ }).waitFor()
  assert.equal(await page.locator('#trial').isVisible(), false)
  await page.click('button[data-fault=age]')
  await page.getByText('40 clients open').waitFor()
  assert.match((await page.textContent('#trial-words')) ?? '', /after 8 s/)
  assert.equal(await page.locator('#cure').isVisible(), false)
  await page.click('button[data-fault=none]')
  await page.locator('#trial').waitFor({ state: 'hidden' })
})

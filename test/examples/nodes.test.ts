// Three real processes behind real nginx, with real Redis behind them: nodes are killed in the midst of it, and every client
// gets every event, once and in order.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { type TestContext, test } from 'node:test'
import { connect } from 'sluice/client'
import { openPage } from '../support/chromium.ts'
import { findChromium, findProgram, need } from '../support/need.ts'
import { freePort, nginx } from '../support/nginx.ts'
import { seeded } from '../support/seeded.ts'
import { eventually } from '../support/server.ts'

const START = resolve(import.meta.dirname, '../../docs/examples/nodes/start.ts')
const redis = findProgram('redis-server')
const SEED = 7
const CLIENTS = 60
const EVENTS = 400

async function start(t: TestContext): Promise<string> {
  const port = await freePort()
  const args = ['--import', 'tsx', START, '--port', String(port), '--restart-after', '700']
  const child: ChildProcess = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  let said = ''
  child.stdout?.on('data', (bytes: Buffer) => {
    said += bytes
  })
  t.after(async () => {
    const exited = new Promise((settle) => child.once('exit', settle))
    child.kill('SIGTERM')
    await exited
  })
  const end = performance.now() + 40_000
  while (!said.includes('ready:')) {
    if (performance.now() > end || child.exitCode !== null) throw new Error(`it did not start: ${said}`)
    await new Promise((settle) => setTimeout(settle, 50))
  }
  return `http://127.0.0.1:${port}`
}

test('nodes are killed at random: every client gets every event, once and in order, and is told no gap', {
  ...need('nginx and redis-server', nginx && redis),
  timeout: 120_000,
}, async (t) => {
  const url = await start(t)
  const random = seeded(SEED)
  const got = Array.from({ length: CLIENTS }, (): string[] => [])
  const served = new Set<string>()
  let gaps = 0
  let opened = 0
  const streams = got.map((texts) => {
    const stream = connect<{ note: { text: string }; node: { node: string; pid: number }; figures: unknown }>(
      `${url}/events`,
      { parse: 'json', backoff: { base: 100, cap: 500 }, onOpen: () => (opened += 1) },
    )
    void (async () => {
      for await (const event of stream) {
        if (event.gap) gaps += 1
        else if (event.event === 'note') texts.push(event.data.text)
        else if (event.event === 'node') served.add(`${event.data.node} ${event.data.pid}`)
      }
    })()
    return stream
  })
  t.after(() => {
    for (const stream of streams) stream.close()
  })
  await eventually(() => opened === CLIENTS, 'all clients')
  let kills = 0
  const published: string[] = []
  for (let n = 1; n <= EVENTS; n += 1) {
    // A publisher whose node dies tries again, and may so store an event twice: under another text.
    for (let attempt = 0; ; attempt += 1) {
      const text = `${n}.${attempt}`
      const answer = await fetch(`${url}/publish`, { method: 'POST', body: text }).catch(() => undefined)
      published.push(text)
      if (answer?.ok) break
      assert.ok(attempt < 50, 'nobody takes events any more')
      await new Promise((settle) => setTimeout(settle, 50))
    }
    if (n % 100 === 50) {
      const victim = 'abc'[Math.floor(random() * 3)]
      await fetch(`${url}/die/${victim}`, { method: 'POST' }).catch(() => undefined)
      kills += 1
    }
  }
  const last = published.at(-1) as string // there are some
  const whole = (): boolean => got.every((texts) => texts.at(-1) === last)
  const end = performance.now() + 30_000
  while (!whole() && performance.now() < end) await new Promise((settle) => setTimeout(settle, 50))
  const [first = []] = got
  for (const texts of got) assert.deepEqual(texts, first)
  assert.equal(new Set(first).size, first.length, 'nothing twice')
  // Each of the numbers is there; of an attempt that failed nobody knows whether it was stored.
  for (let n = 1; n <= EVENTS; n += 1)
    assert.ok(
      first.some((text) => text.startsWith(`${n}.`)),
      `${n} is missing`,
    )
  assert.deepEqual(
    [...first],
    published.filter((text) => first.includes(text)),
    'in the order of publishing',
  )
  assert.equal(gaps, 0)
  assert.ok(kills === 4 && opened > CLIENTS, 'some had to come back')
  t.diagnostic(
    `seed ${SEED}: ${kills} nodes killed, ${opened - CLIENTS} reconnections, ${CLIENTS * EVENTS} deliveries`,
  )
})

test('the page shows which node serves it, and goes on at another when that is killed', {
  ...need('Chromium, nginx and redis-server', findChromium() && nginx && redis),
  timeout: 120_000,
}, async (t) => {
  const url = await start(t)
  const page = await openPage(t)
  page.setDefaultTimeout(20_000)
  await page.goto(url)
  await page.waitForSelector('.node.mine')
  const serving = (): Promise<string | null> => page.textContent('.node.mine strong')
  const before = await serving()
  const say = async (text: string): Promise<void> => {
    await page.fill('input', text)
    await page.click('form button')
    await page.waitForFunction('!document.querySelector("input").value')
  }
  await say('before')
  await page.click('#kill')
  await say('meanwhile')
  await page.waitForFunction(`document.querySelector('.node.mine strong').textContent !== '${before}'`)
  await say('after')
  await page.waitForFunction(`window.log.includes('after')`)
  assert.deepEqual(await page.evaluate('window.log'), ['before', 'meanwhile', 'after'])
  assert.notEqual(await serving(), before)
})

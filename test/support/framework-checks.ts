// What every framework's example must do, whatever middleware stands around the stream: checked over real sockets, with the
// framework's own compression and CORS on.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { type TestContext, test as testOf } from 'node:test'
import type { Example } from '../../docs/examples/orders/orders.ts'
import { Client, type ClientOptions } from './client.ts'
import { within } from './fetch-client.ts'
import { need } from './need.ts'
import { eventually } from './server.ts'

const ADA = 'Bearer token-of-ada'
const SITE = 'https://shop.example'
/** How long an event may take to its reader on a busy machine. What a compressor holds back stays there until more comes. */
const PROMPT = 5_000

export const EXAMPLES = resolve(import.meta.dirname, '../../docs/examples')

const PACKAGES: Record<string, string> = { nest: '@nestjs/core', hono: '../../../node_modules/hono' }

/** Options of a test that needs the frameworks of the examples. */
export function frameworks(folder: string): { skip?: string } {
  const found = existsSync(join(EXAMPLES, 'node_modules', PACKAGES[folder] ?? folder))
  return need(`${folder} (npm --prefix docs/examples install --no-package-lock)`, found)
}

export interface Checked {
  /** The framework's name, for the tests' titles. */
  name: string
  /** Its folder below docs/examples, with a `server.ts` that has `start` and is a program of its own as well. */
  folder: string
  /** Called before each start. */
  reset?: () => unknown
  /** Whether it has a way to close of its own. */
  closes?: boolean
  /** Where its streams are. Default `/orders/ORDER/events`. */
  path?: (order: number) => string
}

interface Running {
  example: Example
  origin: string
  stream(order: number, options?: ClientOptions): Promise<Client>
  publish(order: number, status: string): Promise<string>
}

/** Registers the tests of one framework's example. */
export function checkFramework({
  name,
  folder,
  reset,
  closes = false,
  path = (order) => `/orders/${order}/events`,
}: Checked): void {
  const program = join(EXAMPLES, folder, 'server.ts')
  // Imported only once it is known that the framework is installed; so its types are not known here.
  const start = async (port: number): Promise<Example> => {
    reset?.()
    const module = (await import(program)) as { start: (port: number) => Promise<Example> }
    return module.start(port)
  }
  const test = (title: string, body: (t: TestContext) => Promise<void>): void =>
    void testOf(title, frameworks(folder), body)

  async function running(t: TestContext): Promise<Running> {
    const example = await start(0)
    const { hub, server } = example
    const errors: unknown[] = []
    hub.on('error', (error) => errors.push(error))
    t.after(async () => {
      await hub.close({ within: 0 })
      server.closeAllConnections()
      await new Promise((settle) => server.close(settle))
      assert.deepEqual(errors, [])
    })
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return {
      example,
      origin,
      stream: (order, options = {}) =>
        Client.open(origin + path(order), { ...options, headers: { ...STREAM, ...options.headers } }),
      publish: (order, status) => publish(origin, order, status),
    }
  }

  test(`${name}: events arrive at once although compression is on, each in its channel only`, async (t) => {
    const { origin, stream, publish } = await running(t)
    const list = await fetch(`${origin}/orders`, {
      headers: { Authorization: ADA, 'Accept-Encoding': 'gzip' },
    })
    assert.equal(list.headers.get('content-encoding'), 'gzip', 'the compression is on')
    assert.equal(((await list.json()) as unknown[]).length, 50)

    const first = await stream(1)
    const third = await stream(3)
    assert.equal(first.status, 200)
    assert.equal(first.headers['content-type'], 'text/event-stream')
    assert.match(String(first.headers['cache-control']), /no-transform/)
    assert.equal(first.headers['content-length'], undefined)
    assert.equal(first.headers['content-encoding'], undefined)
    await first.until(() => first.lastEventId !== '', 'the first block')

    const times: number[] = []
    for (let n = 1; n <= 5; n += 1) {
      const before = performance.now()
      const id = await publish(1, `step-${n}`)
      await first.count(n)
      times.push(performance.now() - before)
      assert.deepEqual(first.events.at(-1), {
        event: 'status',
        data: JSON.stringify({ order: '1', owner: 'ada', status: `step-${n}` }),
        lastEventId: id,
      })
    }
    assert.ok(Math.max(...times) < PROMPT, `in ${times.join(', ')} ms`)
    await publish(3, 'shipped')
    await third.count(1)
    assert.equal(third.events.length, 1)
    assert.equal(first.events.length, 5)
    t.diagnostic(`from the request that publishes to the reader: ${Math.max(...times).toFixed(1)} ms at most`)
  })

  test(`${name}: the CORS headers of its middleware are on the stream`, async (t) => {
    const { origin, stream } = await running(t)
    const allowed = await stream(1, { headers: { Origin: SITE } })
    assert.equal(allowed.status, 200)
    assert.equal(allowed.headers['access-control-allow-origin'], SITE)
    assert.match(String(allowed.headers['access-control-expose-headers']), /sluice-resume/i)
    const foreign = await stream(1, { headers: { Origin: 'https://evil.example' } })
    assert.notEqual(foreign.headers['access-control-allow-origin'], 'https://evil.example')
    assert.notEqual(foreign.headers['access-control-allow-origin'], '*')
    const preflight = await fetch(origin + path(1), {
      method: 'OPTIONS',
      headers: {
        Origin: SITE,
        'Access-Control-Request-Method': 'GET',
        'Access-Control-Request-Headers': 'authorization,last-event-id',
      },
    })
    assert.ok(preflight.ok, `a preflight has no token: ${preflight.status}`)
    assert.equal(preflight.headers.get('access-control-allow-origin'), SITE)
    assert.match(
      String(preflight.headers.get('access-control-allow-headers')),
      /authorization.*last-event-id/i,
    )
    // Without them a page is told of a network error, and nothing of the 401.
    const refused = await fetch(origin + path(1), { headers: { Origin: SITE } })
    assert.equal(refused.status, 401)
    assert.equal(refused.headers.get('access-control-allow-origin'), SITE)
  })

  test(`${name}: no token, a wrong one, and somebody else's order open no stream`, async (t) => {
    const { origin, stream, example } = await running(t)
    const without = await fetch(origin + path(1))
    assert.equal(without.status, 401)
    assert.equal((await stream(1, { headers: { Authorization: 'Bearer of-nobody' } })).status, 401)
    assert.equal((await stream(2)).status, 404)
    assert.equal((await stream(2, { headers: { Authorization: 'Bearer token-of-bob' } })).status, 200)
    assert.equal(example.hub.stats().opened, 1)
  })

  test(`${name}: a client that comes back gets exactly what it missed`, async (t) => {
    const { example, stream, publish } = await running(t)
    const before = await stream(1)
    const ids: string[] = []
    for (const status of ['paid', 'packed']) ids.push(await publish(1, status))
    await before.count(2)
    assert.equal(before.lastEventId, ids.at(-1))
    before.drop()
    await eventually(() => example.hub.stats().connections === 0, 'the hub to see it go')
    for (const status of ['shipped', 'near', 'delivered']) ids.push(await publish(1, status))
    await publish(3, 'shipped')
    const after = await stream(1, { headers: { 'Last-Event-ID': before.lastEventId } })
    assert.equal(after.headers['sluice-resume'], 'full')
    await after.count(3)
    ids.push(await publish(1, 'returned'))
    await after.count(4)
    assert.deepEqual(
      after.events.map(({ lastEventId }) => lastEventId),
      ids.slice(2),
    )
  })

  test(`${name}: a client that leaves is seen, in silence and between events`, async (t) => {
    const { example, stream, publish } = await running(t)
    const { hub } = example
    const clients = await Promise.all([1, 1, 3].map((order) => stream(order)))
    await eventually(() => hub.stats().connections === 3)
    clients[0]?.drop()
    await eventually(() => hub.stats().connections === 2)
    await publish(1, 'paid')
    await clients[1]?.count(1)
    for (const client of clients) client.drop()
    await eventually(() => hub.stats().connections === 0)
    assert.equal(hub.stats().closes.client, 3)
    await publish(1, 'packed')
  })

  if (closes) {
    test(`${name}: its own close ends the streams, and does not wait for them`, async (t) => {
      const { example, stream } = await running(t)
      assert.ok(example.close)
      const client = await stream(1)
      await within(example.close(), 'the framework to close')
      await client.ended()
      assert.equal(client.response.complete, true, 'an end, not a cut')
      assert.equal(example.server.listening, false)
      assert.equal(example.hub.stats().closes.shutdown, 1)
    })
  }

  checkShutdown({ name, folder, args: ['--import', 'tsx', program], path: path(1) })
}

export interface CheckedShutdown {
  name: string
  folder: string
  /** What Node is given to run. It must say where it listens. */
  args: string[]
  /** Where a stream is. */
  path: string
  /** What the process ends with. Default 0. */
  code?: number
}

/** Registers the test that a process which is told to go ends its streams, and itself. */
export function checkShutdown({ name, folder, args, path, code = 0 }: CheckedShutdown): void {
  testOf(
    `${name}: SIGTERM ends the streams in good order, and the process by itself`,
    {
      ...frameworks(folder),
      timeout: 60_000,
    },
    async (t) => {
      const { child, said, exited, origin } = await startProgram(args)
      t.after(() => child.kill('SIGKILL'))
      const headers = STREAM
      const leaving = await Client.open(origin + path, { headers })
      leaving.drop()
      const client = await Client.open(origin + path, { headers })
      const id = await publish(origin, 1, 'shipped')
      await client.count(1)
      const told = performance.now()
      child.kill('SIGTERM')
      await client.ended()
      assert.equal(client.response.complete, true, 'an end, not a cut')
      assert.ok(
        client.retry !== undefined && client.retry <= 10_000,
        `told to come back in ${client.retry} ms`,
      )
      assert.equal(client.lastEventId, id)
      assert.equal(await within(exited, 'the end of the process'), code)
      t.diagnostic(`over ${(performance.now() - told).toFixed(0)} ms after the signal`)
      assert.equal(said.errors, '', 'nothing went wrong, also for the client that left')
    },
  )
}

const STREAM = { Accept: 'text/event-stream', Authorization: ADA, 'Accept-Encoding': 'gzip' }

async function publish(origin: string, order: number, status: string): Promise<string> {
  const answer = await fetch(`${origin}/orders/${order}/${status}`, {
    method: 'PUT',
    headers: { Authorization: ADA, Connection: 'close' },
  })
  assert.equal(answer.status, 200)
  return ((await answer.json()) as { id: string }).id
}

interface Program {
  child: ChildProcess
  origin: string
  said: { text: string; errors: string }
  exited: Promise<number | null>
}

/** A program of so many modules is slow to start on a busy machine. */
const STARTING = 30_000

function startProgram(args: string[]): Promise<Program> {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { text: '', errors: '' }
  child.stderr.on('data', (bytes: Buffer) => {
    said.errors += bytes.toString()
  })
  const exited = new Promise<number | null>((settle) => child.once('close', settle))
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
    }, STARTING)
    void exited.then(() => {
      clearTimeout(timer)
      reject(new Error(`${args.join(' ')} did not start: ${said.text}${said.errors}`))
    })
    child.stdout.on('data', (bytes: Buffer) => {
      said.text += bytes.toString()
      const port = /(?:port: |http:\/\/[\w.]+:)(\d+).*\n/.exec(said.text)?.[1]
      if (port === undefined) return
      clearTimeout(timer)
      resolve({ child, said, exited, origin: `http://127.0.0.1:${port}` })
    })
  })
}

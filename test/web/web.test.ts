// sluice/web as a plain function from Request to Response: whoever reads the body decides how fast, and when it is over.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHub as createNodeHub } from '../../src/index.ts'
import { createHub, type Hub, type HubOptions, SluiceError } from '../../src/web.ts'
import { Client } from '../support/client.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { within } from '../support/fetch-client.ts'
import { collectGarbage } from '../support/gc.ts'
import { eventually, serve } from '../support/server.ts'

const get = (init: RequestInit = {}): Request => new Request('http://a.example/events?after=', init)
const text = (chunk: { value?: Uint8Array | undefined }): string => new TextDecoder().decode(chunk.value)

function turn(options: HubOptions = {}): { hub: Hub; clock: FakeClock } {
  const clock = new FakeClock()
  return { hub: createHub({ clock, random: () => 0.5, ...options }), clock }
}

test('each read gets what has gathered since the one before, and nothing is read ahead', async () => {
  const { hub, clock } = turn()
  const { response, connection } = hub.accept(get(), { channels: ['a'] })
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  assert.match(text(await reader.read()), /^:\nid: [\da-z]{10}-0\n\n$/)
  for (const data of ['1', '2', '3']) {
    hub.publish('a', { data })
    clock.settle()
  }
  // The reader has used up the first write, and says so by coming back: until then the others stay in the log.
  assert.ok(connection.bufferedBytes > 0)
  const read = reader.read()
  // The runtime has heard of the read, and the hub has had its turn.
  await new Promise((resolve) => setImmediate(resolve))
  clock.settle()
  assert.deepEqual(text(await within(read, 'the rest')).match(/data: \d/g), ['data: 1', 'data: 2', 'data: 3'])
})

test('a body nobody reads holds its cap and one event, and is given up when the stall timeout is over', async () => {
  const { hub, clock } = turn({
    maxWriteBytes: 1_000,
    maxBufferedBytes: 4_000,
    stallTimeout: 5_000,
    heartbeat: 1_000,
  })
  const { response, connection } = hub.accept(get(), { channels: ['a'] })
  let refused = 0
  for (let n = 0; n < 1_000; n += 1) {
    hub.publish('a', { data: 'x'.repeat(400) })
    if (!connection.send({ data: 'y'.repeat(400) })) refused += 1
    clock.settle()
    assert.ok(connection.bufferedBytes <= 4_000 + 500, `${connection.bufferedBytes} bytes`)
  }
  assert.ok(refused > 900)
  clock.advance(10_000)
  assert.equal((await connection.closed).reason, 'stalled')
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  await assert.rejects(reader.read(), /given up by its server/)
  assert.equal(hub.stats().connections, 0)
})

test('cancelling the body and aborting the request close once, with reason client, and nothing is written after', async () => {
  for (const how of ['cancel', 'abort', 'both'] as const) {
    const { hub, clock } = turn()
    const abort = new AbortController()
    const closes: string[] = []
    hub.on('close', (_, { reason }) => closes.push(reason))
    const { response, connection } = hub.accept(get({ signal: abort.signal }), { channels: ['a'] })
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    await reader.read()
    hub.publish('a', { data: '1' })
    if (how !== 'abort') await reader.cancel('enough')
    if (how !== 'cancel') abort.abort()
    clock.settle()
    assert.deepEqual(closes, ['client'])
    assert.equal(connection.send({ data: '2' }), false)
    hub.publish('a', { data: '3' })
    connection.close()
    clock.settle()
    clock.advance(120_000)
    assert.deepEqual(closes, ['client'])
    // What was queued when it was aborted may still be read; nothing was.
    assert.equal((await reader.read()).done, true)
    assert.equal(hub.stats().connections, 0)
  }
})

test('a client that leaves is heard of when nobody else holds its request any more', async () => {
  const hub = createHub()
  const aborts = Array.from({ length: 50 }, () => new AbortController())
  for (const { signal } of aborts) {
    const { body } = hub.respond(get({ signal }), { channels: ['a'] })
    // An adapter that reads, and hears of the end from the signal alone.
    void (async () => {
      for await (const _ of body as ReadableStream<Uint8Array>);
    })()
  }
  for (let round = 0; round < 3; round += 1) await collectGarbage()
  for (const abort of aborts) abort.abort()
  await eventually(() => hub.stats().connections === 0)
  assert.equal(hub.stats().closes.client, 50)
  await hub.close({ within: 0 })
})

test('a client that leaves while the application decides about its origin opens nothing that stays', async () => {
  const hub = createHub()
  const abort = new AbortController()
  const origin = (): boolean => {
    abort.abort()
    return true
  }
  const request = get({ signal: abort.signal, headers: { Origin: 'http://b.example' } })
  const { connection } = hub.accept(request, { channels: ['a'], cors: { origin } })
  assert.equal((await within(connection.closed, 'the close')).reason, 'client')
  assert.equal(hub.stats().connections, 0)
})

test('an ended stream delivers what was written, then ends well', async () => {
  const { hub, clock } = turn()
  const { response, connection } = hub.accept(get())
  connection.pipe(['a', 'b'])
  await eventually(() => {
    clock.settle()
    return connection.bufferedBytes > 0
  })
  await new Promise((resolve) => setImmediate(resolve))
  connection.close()
  clock.settle()
  const reading = response.text()
  await eventually(() => {
    clock.settle()
    return hub.stats().connections === 0
  })
  assert.match(await within(reading, 'the end'), /data: a\n\n[\s\S]*data: b\n\n$/)
  assert.equal((await connection.closed).reason, 'closed')
})

test('a request that nobody waits for any more opens nothing', async () => {
  const { hub } = turn()
  const { response, connection } = hub.accept(get({ signal: AbortSignal.abort() }), { channels: ['a'] })
  assert.equal(response.body, null)
  assert.equal((await connection.closed).reason, 'client')
  assert.equal(hub.stats().opened, 0)
})

test('headers: options win, several values stay several, Vary gathers', () => {
  const { hub } = turn()
  const response = hub.respond(get({ headers: { origin: 'https://app.example' } }), {
    headers: { 'Set-Cookie': ['a=1', 'b=2'], 'X-Accel-Buffering': 'yes', Vary: 'Cookie' },
    cors: { origin: 'https://app.example' },
  })
  assert.deepEqual(response.headers.getSetCookie(), ['a=1', 'b=2'])
  assert.equal(response.headers.get('x-accel-buffering'), 'yes')
  assert.equal(response.headers.get('vary'), 'Origin, Cookie')
  assert.equal(response.headers.get('content-type'), 'text/event-stream')
})

test('limits count by address, of IPv6 by its first 64 bits, and by key where one is given', () => {
  const { hub } = turn({ limits: { connectionsPerKey: 1 } })
  const status = (options: { address?: string; key?: string }): number =>
    hub.respond(get(), { ...options, refusal: 'status' }).status
  assert.equal(status({ address: '2001:db8::1' }), 200)
  assert.equal(status({ address: '2001:db8::ffff:2' }), 429)
  assert.equal(status({ address: '192.0.2.1' }), 200)
  assert.equal(status({ address: '192.0.2.1', key: 'user 7' }), 200)
  assert.equal(status({}), 200)
  assert.equal(status({}), 200, 'nothing is known to count by')
})

test("the caller's mistakes throw a coded error before anything is registered", () => {
  const { hub } = turn()
  const code = (act: () => unknown): string => {
    try {
      act()
    } catch (error) {
      if (error instanceof SluiceError) return error.code
    }
    return 'none'
  }
  // What callers without types pass.
  const untyped = (value: unknown): never => value as never
  assert.equal(
    code(() => hub.respond(untyped({ url: '/' }))),
    'SLUICE_BAD_REQUEST',
  )
  assert.equal(
    code(() => hub.respond(untyped(undefined))),
    'SLUICE_BAD_REQUEST',
  )
  assert.equal(
    code(() => hub.respond(get(), { address: untyped(7) })),
    'SLUICE_BAD_OPTION',
  )
  assert.equal(
    code(() => hub.respond(get(), untyped({ framing: 'close' }))),
    'SLUICE_BAD_OPTION',
  )
  assert.equal(
    code(() => hub.respond(get(), { channels: [''] })),
    'SLUICE_BAD_CHANNEL',
  )
  assert.equal(hub.stats().opened, 0)
})

test('a hub for Node serves Request and Response as well, one log behind both', async (t) => {
  const { hub, url } = await serve(t, (hub, req, res) => void hub.connect(req, res, { channels: ['a'] }))
  const client = await Client.open(url)
  const response = hub.respond(get(), { channels: ['a'] })
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  await reader.read()
  const read = reader.read()
  await hub.publish('a', { data: 'both' })
  assert.match(text(await within(read, 'the event')), /data: both/)
  assert.deepEqual((await client.count(1))[0]?.data, 'both')
  await reader.cancel()
  client.drop()
  await eventually(() => hub.stats().connections === 0)
  assert.equal(typeof createNodeHub().respond, 'function')
})

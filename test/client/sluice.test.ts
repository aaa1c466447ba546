// The client and the server of this package, over real sockets: what one promises, the other keeps.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, type Retry, SluiceError } from '../../src/client.ts'
import { all, take, within } from '../support/fetch-client.ts'
import { killable } from '../support/killable.ts'
import { seeded } from '../support/seeded.ts'
import { eventually, serve } from '../support/server.ts'

const SOON = { base: 20, cap: 40 }

test('over sockets that are cut again and again, every event comes once and in order', {
  timeout: 60_000,
}, async (t) => {
  const { hub, url, server } = await serve(t, (hub, req, res) => {
    hub.connect(req, res, { channels: ['a', 'b'] })
  })
  const resumes: unknown[] = []
  let gaps = 0
  const events = connect<{ n: number }>(url, {
    parse: 'json',
    backoff: SOON,
    onOpen: ({ resume }) => resumes.push(resume),
    onGap: () => {
      gaps += 1
    },
  })
  await eventually(() => events.state === 'open')
  const random = seeded(20)
  const last = 3_000
  const publishing = (async () => {
    for (let n = 1; n <= last; n += 1) {
      await hub.publish(random() < 0.5 ? 'a' : 'b', { event: 'n', data: n })
      if (random() < 0.02) server.closeAllConnections()
      if (random() < 0.1) await new Promise((resolve) => setTimeout(resolve, random() * 10))
    }
  })()
  const got = await take(events, last)
  await publishing
  assert.deepEqual(
    got.map(({ data }) => data),
    Array.from({ length: last }, (_, n) => n + 1),
  )
  assert.equal(gaps, 0)
  assert.equal(events.lastEventId, hub.position)
  assert.equal(resumes[0], 'none')
  assert.ok(resumes.length > 10 && resumes.slice(1).every((resume) => resume === 'full'), resumes.join(' '))
  events.close()
  t.diagnostic(`${last} events over ${resumes.length} connections`)
})

test('a client that was cut before its first event loses nothing either', async (t) => {
  const { hub, url, server } = await serve(t, (hub, req, res) => {
    hub.connect(req, res, { channels: ['a'] })
  })
  let asked = 0
  server.on('request', () => {
    asked += 1
  })
  const events = connect(url, { backoff: SOON })
  await eventually(() => events.lastEventId === hub.position)
  server.closeAllConnections()
  await hub.publish('a', { data: 'while it was away' })
  assert.equal((await take(events, 1))[0]?.data, 'while it was away')
  assert.equal(asked, 2)
  events.close()
})

test('a server that was killed and started again is another life: a gap says so, and live events follow', {
  timeout: 60_000,
}, async (t) => {
  const server = await killable(t)
  const retries: Retry[] = []
  const events = connect<{ n: number }>(server.url, {
    parse: 'json',
    backoff: { base: 50, cap: 200 },
    onRetry: (retry) => retries.push(retry),
  })
  await eventually(() => server.requests.length === 1 && events.lastEventId !== '')
  server.publish(1, 2, 3)
  const before = await take(events, 3)
  await server.kill()
  await eventually(() => retries.length > 2)
  await server.start()
  const [gap] = await take(events, 1)
  assert.ok(gap?.event === 'gap')
  assert.deepEqual(
    [gap.gap.reason, gap.gap.channel, gap.gap.requested],
    ['epoch', 'numbers', before.at(-1)?.lastEventId],
  )
  server.publish(4, 5)
  assert.deepEqual(
    (await take(events, 2)).map(({ data }) => data),
    [4, 5],
  )
  assert.ok(retries.every(({ cause }) => ['SLUICE_NETWORK', 'SLUICE_STREAM_ENDED'].includes(cause.code)))
  events.close()
})

test("a channel's end ends the iteration, after its last event, without another request", async (t) => {
  let asked = 0
  const { hub, url } = await serve(t, (hub, req, res) => {
    asked += 1
    hub.connect(req, res, { channels: ['answer'], from: 'oldest' })
  })
  const events = connect(url)
  await hub.publish('answer', { data: 'forty-' })
  await hub.publish('answer', { data: 'two' })
  await hub.channel('answer').end()
  const got = (await all(events)).map(({ event, data }) => [event, data])
  assert.deepEqual(got, [
    ['message', 'forty-'],
    ['message', 'two'],
    ['end', ''],
  ])
  assert.equal(asked, 1)
  // Another reader still gets it whole, and one that has read it all is told that there is no more.
  assert.equal((await all(connect(url))).length, 3)
  assert.deepEqual(await all(connect(url, { lastEventId: events.lastEventId })), [])
})

test('under endEvent false, or another name for the end, the 204 is what ends it', async (t) => {
  let asked = 0
  const { hub, url } = await serve(t, (hub, req, res) => {
    asked += 1
    hub.connect(req, res, { channels: [req.url ?? ''], from: 'oldest' })
  })
  hub.channel('/a').end()
  assert.equal((await all(connect(`${url}a`, { endEvent: false, backoff: SOON }))).length, 1)
  assert.equal(asked, 2)
  hub.channel('/b').end({ event: 'done', data: 'b' })
  assert.equal((await all(connect(`${url}b`, { backoff: SOON }))).length, 1)
  assert.equal(asked, 4)
  assert.equal((await all(connect(`${url}b`, { endEvent: 'done' }))).length, 1)
  assert.equal(asked, 5)
})

test('the end of one channel among several does not end the iteration', async (t) => {
  const { hub, url } = await serve(t, (hub, req, res) => {
    hub.connect(req, res, { channels: ['a', 'b'] })
  })
  const events = connect(url)
  await eventually(() => events.state === 'open')
  await hub.channel('a').end()
  await hub.publish('b', { data: 'on' })
  assert.deepEqual(
    (await take(events, 2)).map(({ event }) => event),
    ['end', 'message'],
  )
  events.close()
})

test('a hub that closes says when to come back, and clients come then, not before', async (t) => {
  const { hub, url } = await serve(t, (hub, req, res) => void hub.connect(req, res, { channels: ['a'] }), {
    random: () => 0.5,
  })
  const retries: Retry[] = []
  const events = connect(url, { backoff: { base: 100, cap: 100 }, onRetry: (retry) => retries.push(retry) })
  await eventually(() => events.state === 'open')
  await hub.close({ reconnectOver: 600 })
  await eventually(() => retries.length === 2)
  // The second is the answer of a hub that is closed: a stream that only says when.
  for (const { delay, cause } of retries) {
    assert.equal(cause.code, 'SLUICE_STREAM_ENDED')
    assert.ok(delay >= 300 && delay <= 500, `${delay} ms`)
  }
  events.close()
})

test("onGap 'refuse' is final for a client, and the gaps are in the error's cause", async (t) => {
  const { url } = await serve(t, (hub, req, res) => {
    hub.connect(req, res, { channels: ['a'], onGap: 'refuse' })
  })
  await assert.rejects(all(connect(url, { lastEventId: 'aaaaaaaaaa-7' })), (error) => {
    assert.ok(error instanceof SluiceError && error.code === 'SLUICE_REFUSED')
    const { status, resume, body } = error.cause as { status: number; resume: string; body: string }
    assert.deepEqual([status, resume], [410, 'gap'])
    assert.equal(JSON.parse(body).gaps[0].reason, 'epoch')
    return true
  })
})

test('heartbeats keep the watchdog still, and a server without any is left', async (t) => {
  const { url } = await serve(t, (hub, req, res) => void hub.connect(req, res, { channels: ['a'] }), {
    heartbeat: 50,
  })
  const retries: Retry[] = []
  const events = connect(url, { silence: 1_000, onRetry: (retry) => retries.push(retry) })
  await eventually(() => events.state === 'open')
  await new Promise((resolve) => setTimeout(resolve, 2_500))
  assert.equal(retries.length, 0)
  events.close()
  const mute = await serve(t, (hub, req, res) => void hub.connect(req, res, { channels: ['a'] }), {
    heartbeat: Infinity,
  })
  const others = connect(mute.url, { silence: 200, onRetry: (retry) => retries.push(retry) })
  await eventually(() => retries.length === 1)
  assert.equal(retries[0]?.cause.code, 'SLUICE_SILENT')
  others.close()
})

test('a POST opens a stream where the server takes one', async (t) => {
  const { hub, url } = await serve(t, (hub, req, res) => {
    hub.connect(req, res, { channels: ['a'], methods: ['POST'] })
  })
  const events = connect(url, { body: JSON.stringify({ question: 'why' }) })
  await eventually(() => events.state === 'open')
  await hub.publish('a', { data: 'because' })
  assert.equal((await within(take(events, 1), 'the answer'))[0]?.data, 'because')
  events.close()
})

// What a hub says on node:diagnostics_channel, over real sockets; and admission as clients see it.

import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { test } from 'node:test'
import { EventSource } from 'undici'
import type { DiagnosticsMessages } from '../../src/index.ts'
import { Client } from '../support/client.ts'
import { exchange } from '../support/raw.ts'
import { eventually, serve } from '../support/server.ts'

type Name = keyof DiagnosticsMessages

test('everything countable is a message on node:diagnostics_channel', async (t) => {
  const heard = new Map<Name, unknown[]>()
  const names: Name[] = [
    'sluice:connection:open',
    'sluice:connection:close',
    'sluice:connection:refuse',
    'sluice:connection:write',
    'sluice:gap',
    'sluice:publish',
  ]
  for (const name of names) {
    const messages: unknown[] = []
    heard.set(name, messages)
    const listener = (message: unknown): void => {
      messages.push(message)
    }
    subscribe(name, listener)
    t.after(() => unsubscribe(name, listener))
  }
  const { hub, url } = await serve(
    t,
    (hub, req, res) => hub.connect(req, res, { channels: ['a'], label: 'page' }),
    {
      limits: { connections: 1 },
    },
  )
  const client = await Client.open(url, { headers: { 'Last-Event-ID': 'unknown' } })
  const id = await hub.publish('a', { data: 'x' })
  await client.count(2)
  const refused = await Client.open(url)
  client.drop()
  refused.drop()
  await eventually(() => heard.get('sluice:connection:close')?.length === 1)
  const first = <N extends Name>(name: N) => heard.get(name)?.[0] as DiagnosticsMessages[N] // by the channel's name
  assert.equal(first('sluice:connection:open').connection.label, 'page')
  const { connection, closed } = first('sluice:connection:close')
  assert.equal(connection, first('sluice:connection:open').connection)
  assert.equal(closed.reason, 'client')
  assert.equal(closed.events, 1)
  const refusal = first('sluice:connection:refuse')
  assert.equal(refusal.reason, 'connections')
  assert.equal(refusal.form, 'status')
  assert.equal(refusal.key, '127.0.0.1')
  assert.ok(refusal.after >= 1_000)
  assert.deepEqual(first('sluice:gap'), { count: 1 })
  const published = first('sluice:publish')
  assert.equal(published.channel, 'a')
  assert.equal(published.id, id)
  // The opening block, then the event.
  const writes = heard.get('sluice:connection:write') as DiagnosticsMessages['sluice:connection:write'][]
  assert.deepEqual(
    writes.map(({ events }) => events),
    [0, 1],
  )
  assert.equal(writes[1]?.bytes, published.bytes)
})

test('a native EventSource that is refused comes back, and a program is told with a status', async (t) => {
  const { hub, url, port } = await serve(t, (hub, req, res) => hub.connect(req, res, { channels: ['a'] }), {
    limits: { connections: 1, reconnectOver: 0 },
    random: () => 0,
  })
  const first = await Client.open(url)
  const text = await exchange(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  assert.match(text, /^HTTP\/1\.1 503 .*Retry-After: 1\r\n/s)

  const source = new EventSource(url)
  t.after(() => source.close())
  const got: unknown[] = []
  source.onmessage = (event) => {
    got.push('data' in event ? event.data : undefined)
  }
  await eventually(() => hub.stats().refused.connections === 2)
  first.drop()
  await eventually(() => hub.stats().opened === 2)
  await hub.publish('a', { data: 'let in' })
  await eventually(() => got.length === 1)
  assert.deepEqual(got, ['let in'])
})

test('the key is the socket’s address, whatever X-Forwarded-For says, or what the application’s function gives', async (t) => {
  const { hub, url } = await serve(
    t,
    (hub, req, res) => {
      if (req.url === '/own') {
        hub.connect(req, res, {
          key: ({ headers }) => {
            if (headers['x-user'] === 'broken') throw new Error('no such user')
            return headers['x-user'] as string | undefined
          },
        })
      } else hub.connect(req, res)
    },
    { limits: { connectionsPerKey: 2 } },
  )
  hub.on('error', (error, { during }) => {
    assert.match(String(error), /no such user/)
    assert.equal(during, 'key')
  })
  const open = (path: string, headers: Record<string, string> = {}) =>
    Client.open(`${url}${path}`, { headers })
  const statuses: (number | undefined)[] = []
  for (let n = 0; n < 3; n += 1) {
    const client = await open('', { 'X-Forwarded-For': `192.0.2.${n}`, Forwarded: `for=192.0.2.${n}` })
    statuses.push(client.response.statusCode)
    t.after(() => client.drop())
  }
  assert.deepEqual(statuses, [200, 200, 429])
  for (const [user, status] of [
    ['ann', 200],
    ['ann', 200],
    ['ann', 429],
    ['bob', 200],
    // Falls back to the address, which is full.
    ['broken', 429],
  ] as const) {
    const client = await open('own', { 'X-User': user })
    t.after(() => client.drop())
    assert.equal(client.response.statusCode, status, user)
  }
  assert.deepEqual(
    hub.connections().map(({ key }) => key),
    ['127.0.0.1', '127.0.0.1', 'ann', 'ann', 'bob'],
  )
})

test('an event loop that is really held up refuses newcomers, keeps its clients, and recovers by itself', async (t) => {
  const overloads: boolean[] = []
  const heard = (message: unknown): void => {
    overloads.push((message as DiagnosticsMessages['sluice:overload']).overloaded) // by the channel's name
  }
  subscribe('sluice:overload', heard)
  t.after(() => unsubscribe('sluice:overload', heard))
  const { hub, url } = await serve(t, (hub, req, res) => hub.connect(req, res, { channels: ['a'] }), {
    limits: { loopDelay: 60 },
  })
  const first = await Client.open(url)
  let working = true
  const work = (): void => {
    const end = performance.now() + 250
    while (performance.now() < end);
    if (working) setTimeout(work, 1)
  }
  work()
  await eventually(() => hub.stats().overloaded, 'overload')
  const refused = await Client.open(url)
  assert.equal(refused.response.statusCode, 503)
  assert.equal(hub.stats().refused.overload, 1)
  await hub.publish('a', { data: 'still served' })
  await first.count(1)
  working = false
  await eventually(() => !hub.stats().overloaded, 'recovery')
  const second = await Client.open(url)
  assert.equal(second.response.statusCode, 200)
  assert.deepEqual(overloads, [true, false])
  first.drop()
  second.drop()
})

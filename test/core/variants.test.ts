import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PublishedEvent } from '../../src/core/frame.ts'
import { CoreHub } from '../support/core-hub.ts'

interface Price {
  amount: number
  currency: string
}

/** Version 2 is what is published; version 1 had a plain number, and knew no refunds. */
function versions(calls: string[] = []) {
  return {
    v1: ({ event, data, id }: PublishedEvent) => {
      calls.push(id)
      if (event === 'refund') return undefined
      return { event, data: (data as Price).amount }
    },
    v2: ({ event, data }: PublishedEvent) => ({ event, data }),
  }
}

test('each variant gets its shape under the same id, encoded once for all its readers', async () => {
  const calls: string[] = []
  const hub = new CoreHub({ variants: versions(calls) })
  const plain = hub.open({ channels: ['a'] })
  const old = Array.from({ length: 10 }, () => hub.open({ channels: ['a'], variant: 'v1' }))
  const id = await hub.publish('a', { event: 'price', data: { amount: 5, currency: 'EUR' } })
  await hub.publish('a', { event: 'refund', data: { amount: 1, currency: 'EUR' } })
  hub.fake.settle()
  assert.deepEqual(plain.sink.data, ['{"amount":5,"currency":"EUR"}', '{"amount":1,"currency":"EUR"}'])
  for (const { sink, headers, connection } of old) {
    assert.deepEqual(sink.events, [{ event: 'price', data: '5', lastEventId: id }])
    assert.equal(headers.get('Sluice-Variant'), 'v1')
    assert.equal(connection.variant, 'v1')
  }
  assert.equal(old[0]?.sink.writes.at(-1), old[9]?.sink.writes.at(-1))
  assert.equal(calls.length, 2)
  assert.equal(plain.headers.get('Sluice-Variant'), undefined)
})

test('a variant in use sees the event as it was published, whatever becomes of the object', async () => {
  const hub = new CoreHub({ variants: versions() })
  const { sink } = hub.open({ channels: ['a'], variant: 'v1' })
  const data = { amount: 1, currency: 'EUR' }
  for (let n = 1; n <= 3; n += 1) {
    data.amount = n
    void hub.publish('a', { data })
  }
  hub.fake.settle()
  assert.deepEqual(sink.data, ['1', '2', '3'])
})

test('a variant that nobody reads costs nothing until somebody replays', async () => {
  const calls: string[] = []
  const hub = new CoreHub({ variants: versions(calls) })
  for (let n = 1; n <= 3; n += 1) await hub.publish('a', { data: { amount: n } })
  assert.equal(calls.length, 0)
  const before = hub.stats().logBytes
  const first = hub.open({ channels: ['a'], variant: 'v1', from: 'oldest' })
  const second = hub.open({ channels: ['a'], variant: 'v1', from: 'oldest' })
  assert.deepEqual(first.sink.data, ['1', '2', '3'])
  assert.deepEqual(second.sink.data, ['1', '2', '3'])
  assert.equal(calls.length, 3)
  assert.ok(hub.stats().logBytes > before, 'the bound on bytes covers it')
  first.sink.close()
  second.sink.close()
  await hub.publish('a', { data: { amount: 4 } })
  assert.equal(calls.length, 3)
})

test('an unknown variant degrades to the shape as published, or to the fallback; the response says which', async () => {
  const hub = new CoreHub({ variants: versions() })
  const hostile = ['v9', '', '__proto__', 'constructor', 'toString', 'V1']
  for (const variant of [...hostile, ['v1'], 7, null]) {
    const opened = hub.open({ channels: ['a'], variant: variant as string })
    assert.equal(opened.headers.has('Sluice-Variant'), false)
    assert.equal(opened.connection.variant, undefined)
  }
  const falling = new CoreHub({ variants: versions(), fallbackVariant: 'v1' })
  assert.equal(falling.open({ channels: ['a'], variant: 'v9' }).headers.get('Sluice-Variant'), 'v1')
  // Who asks for none gets none.
  assert.equal(falling.open({ channels: ['a'] }).headers.has('Sluice-Variant'), false)
})

test('a variant that throws, or returns what cannot be encoded, tells a gap in place of the event', async () => {
  let fail: 'throw' | 'bad' | undefined = 'throw'
  const hub = new CoreHub({
    variants: {
      v1: ({ data }) => {
        if (fail === 'throw') throw new Error('no such field')
        return fail === 'bad' ? { event: 'a\nb' } : { data }
      },
    },
  })
  const { sink } = hub.open({ channels: ['a'], variant: 'v1' })
  const plain = hub.open({ channels: ['a'] })
  const first = await hub.publish('a', { data: 1 })
  fail = 'bad'
  await hub.publish('a', { data: 2 })
  fail = undefined
  await hub.publish('a', { data: 3 })
  hub.fake.settle()
  assert.deepEqual(plain.sink.data, ['1', '2', '3'])
  assert.deepEqual(
    sink.events.map(({ event }) => event),
    ['gap', 'gap', 'message'],
  )
  assert.equal(sink.events[0]?.lastEventId, first)
  assert.deepEqual(
    hub.errors.map(([, context]) => context),
    [
      { during: 'variant', channel: 'a' },
      { during: 'variant', channel: 'a' },
    ],
  )
})

test('filter and variant work together, and with private sends', async () => {
  const hub = new CoreHub({ variants: versions() })
  const { connection, sink } = hub.open({
    channels: ['a', 'b'],
    variant: 'v1',
    filter: ({ data }) => (data as Price).amount > 1,
  })
  void hub.publish('a', { data: { amount: 1 } })
  void hub.publish('b', { data: { amount: 2 } })
  connection.send({ data: 'private' })
  void hub.publish('a', { data: { amount: 3 } })
  hub.fake.settle()
  assert.deepEqual(sink.data, ['2', 'private', '3'])
})

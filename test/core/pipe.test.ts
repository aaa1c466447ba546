import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pump } from '../../src/core/pipe.ts'
import { CoreHub, numbers } from '../support/core-hub.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function turns(hub: CoreHub, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    await turn()
    hub.fake.settle()
  }
}

async function* count(to: number, seen: { asked: number; stopped: boolean }) {
  try {
    for (let n = 1; n <= to; n += 1) {
      seen.asked = n
      yield { data: String(n) }
    }
  } finally {
    seen.stopped = true
  }
}

test('pipe sends strings as data and events as events, from every kind of source', async () => {
  const hub = new CoreHub()
  const { connection, sink } = hub.open()
  const items = ['a', { event: 'x', data: 'b' }, 'c']
  async function* generator() {
    yield* items
  }
  const stream = new ReadableStream<string | { event: string; data: string }>({
    start(controller) {
      for (const item of items) controller.enqueue(item)
      controller.close()
    },
  })
  for (const source of [items, new Set(items), generator(), stream]) {
    assert.equal(await connection.pipe(source), 3)
    hub.fake.settle()
  }
  assert.deepEqual(sink.data, ['a', 'b', 'c', 'a', 'b', 'c', 'a', 'b', 'c', 'a', 'b', 'c'])
  assert.equal(sink.events[1]?.event, 'x')
  assert.equal(connection.isOpen, true)
})

test('a source is asked only when the client can take more', async () => {
  const hub = new CoreHub({ maxWriteBytes: 100, maxBufferedBytes: 100 })
  const { connection, sink } = hub.open({}, undefined, true)
  const seen = { asked: 0, stopped: false }
  const piped = connection.pipe(count(1_000, seen))
  await turns(hub, 50)
  const early = seen.asked
  assert.ok(early < 20, `${early} asked for while nothing was taken`)
  assert.ok(connection.bufferedBytes < 200)
  sink.clock = hub.fake
  sink.take()
  for (let n = 0; n < 2_000 && !seen.stopped; n += 1) await turns(hub, 1)
  assert.equal(await piped, 1_000)
  await turns(hub, 5)
  assert.deepEqual(sink.data, numbers(1, 1_000))
})

test('the source is stopped when the client leaves, also in the middle of a read that never ends', async () => {
  for (const kind of ['generator', 'hanging generator', 'stream', 'plain iterator'] as const) {
    const hub = new CoreHub({ maxWriteBytes: 100, maxBufferedBytes: 100 })
    const { connection, sink } = hub.open({}, undefined, true)
    let stopped = false
    const seen = { asked: 0, stopped: false }
    const hang = new Promise<never>(() => {})
    const source = {
      generator: () => count(1_000, seen),
      'hanging generator': () => ({
        [Symbol.asyncIterator]: () => ({
          next: () => hang,
          return: async () => {
            stopped = true
            return { done: true as const, value: undefined }
          },
        }),
      }),
      stream: () =>
        new ReadableStream<string>({
          pull: () => hang,
          cancel: () => {
            stopped = true
          },
        }),
      'plain iterator': () => ({ [Symbol.asyncIterator]: () => ({ next: () => hang }) }),
    }[kind]()
    const piped = connection.pipe(source)
    await turns(hub, 5)
    sink.close()
    await piped
    await turns(hub, 5)
    if (kind !== 'plain iterator') assert.ok(stopped || seen.stopped, kind)
  }
})

test('what the source throws rejects, is reported, and leaves the connection open', async () => {
  const hub = new CoreHub()
  const { connection } = hub.open()
  async function* failing() {
    yield 'one'
    throw new Error('source failed')
  }
  await assert.rejects(connection.pipe(failing()), /source failed/)
  assert.deepEqual(hub.errors[0]?.[1], { during: 'pipe' })
  assert.equal(connection.isOpen, true)
  await assert.rejects(connection.pipe(5 as unknown as []), { code: 'SLUICE_BAD_SOURCE' })
  await assert.rejects(connection.pipe([7] as unknown as string[]), { code: 'SLUICE_BAD_EVENT' })
})

test('an item that cannot be sent stops the source', async () => {
  const hub = new CoreHub()
  const { connection } = hub.open()
  let stopped = false
  async function* source() {
    try {
      yield { data: 'x', event: 'a\nb' }
      yield { data: 'y' }
    } finally {
      stopped = true
    }
  }
  await assert.rejects(connection.pipe(source()), { code: 'SLUICE_BAD_EVENT_NAME' })
  await turn()
  assert.equal(stopped, true)
})

test('a pump whose signal is aborted already asks for nothing', async () => {
  const seen = { asked: 0, stopped: false }
  assert.equal(await pump(count(5, seen), AbortSignal.abort(), () => {}), 0)
  assert.equal(seen.asked, 0)
})

test("a source that fails while it is being stopped is nobody's problem", async () => {
  const controller = new AbortController()
  const source = {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        await turn()
        controller.abort()
        throw new Error('too late')
      },
      return: async () => {
        throw new Error('cannot stop')
      },
    }),
  }
  assert.equal(await pump(source, controller.signal, () => {}), 0)
  await turn()
})

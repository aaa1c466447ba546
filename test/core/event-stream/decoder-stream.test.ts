import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DecodedEvent, DecoderOptions } from '../../../src/core/event-stream/decode.ts'
import { encode } from '../../../src/core/event-stream/encode.ts'
import { createDecoder, EventStreamDecoder, SluiceError } from '../../../src/event-stream.ts'

const encoder = new TextEncoder()

function streamOf(...parts: (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(typeof part === 'string' ? encoder.encode(part) : part)
      controller.close()
    },
  })
}

async function all(readable: ReadableStream<DecodedEvent>): Promise<DecodedEvent[]> {
  const events: DecodedEvent[] = []
  for await (const event of readable) events.push(event)
  return events
}

test('events come out of a piped stream, and its last event ID and retry can be read', async () => {
  const decoder = new EventStreamDecoder()
  assert.equal(decoder.lastEventId, '')
  assert.equal(decoder.retry, undefined)
  const bytes = encode({ event: 'tick', data: 'a\nb', id: '7', retry: 5 })
  const events = await all(
    streamOf(bytes.subarray(0, 20), bytes.subarray(20), 'id: 8\n\n').pipeThrough(decoder),
  )
  assert.deepEqual(events, [{ event: 'tick', data: 'a\nb', lastEventId: '7' }])
  assert.equal(decoder.lastEventId, '8')
  assert.equal(decoder.retry, 5)
})

test('an incomplete event is discarded at the end', async () => {
  const events = await all(streamOf('data: a\n\ndata: b\n').pipeThrough(new EventStreamDecoder()))
  assert.deepEqual(
    events.map(({ data }) => data),
    ['a'],
  )
})

test('the options are those of createDecoder', async () => {
  const told: unknown[] = []
  const options: DecoderOptions = {
    onRetry: (ms) => told.push(ms),
    onComment: (text) => told.push(text),
    lastEventId: '3',
  }
  const events = await all(
    streamOf(': hello\nretry: 9\ndata: a\n\n').pipeThrough(new EventStreamDecoder(options)),
  )
  assert.deepEqual(told, ['hello', 9])
  assert.equal(events[0]?.lastEventId, '3')
  assert.throws(() => new EventStreamDecoder({ maxBufferBytes: -1 }), { code: 'SLUICE_BAD_OPTION' })
})

test('an overflow makes the stream fail after the events before it were handed on', async () => {
  const decoder = new EventStreamDecoder({ maxBufferBytes: 10 })
  const reader = streamOf('data: a\n\n', 'x'.repeat(11)).pipeThrough(decoder).getReader()
  assert.equal((await reader.read()).value?.data, 'a')
  await assert.rejects(
    reader.read(),
    (error) => error instanceof SluiceError && error.code === 'SLUICE_DECODER_OVERFLOW',
  )
})

test('what a callback throws makes the stream fail', async () => {
  const thrown = new Error('of the callback')
  const decoder = new EventStreamDecoder({
    onComment() {
      throw thrown
    },
  })
  await assert.rejects(all(streamOf(': a\n').pipeThrough(decoder)), thrown)
})

test('a reader that leaves stops the source', async () => {
  let cancelled: unknown
  const source = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(encoder.encode('data: a\n\ndata: b\n\n'))
    },
    cancel(reason) {
      cancelled = reason
    },
  })
  const reader = source.pipeThrough(new EventStreamDecoder()).getReader()
  await reader.read()
  await reader.cancel('enough')
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(cancelled, 'enough')
})

test('the door opens on the whole codec', async () => {
  const door = await import('../../../src/event-stream.ts')
  assert.deepEqual(Object.keys(door).sort(), [
    'DECODE_DEFAULTS',
    'ENCODE_DEFAULTS',
    'EventStreamDecoder',
    'SluiceError',
    'createDecoder',
    'encode',
  ])
  assert.equal(door.createDecoder, createDecoder)
})

// The sink over Streams by itself: whatever comes after its end, from either side, changes nothing and closes once.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CloseReason } from '../../src/core/close.ts'
import { WebSink } from '../../src/sinks/web.ts'
import { within } from '../support/fetch-client.ts'

function sinkOf(signal?: AbortSignal) {
  const told: (CloseReason | 'taken')[] = []
  const sink = new WebSink(signal && { signal })
  sink.attach({ taken: () => told.push('taken'), sinkClosed: (reason) => told.push(reason) })
  return { sink, told, reader: sink.body.getReader() }
}

const bytes = new TextEncoder().encode('data: 1\n\n')
const turn = () => new Promise((resolve) => setImmediate(resolve))

test('a reader that is there before the first write takes it, and hears of the end after what was written', async () => {
  const { sink, told, reader } = sinkOf()
  const first = reader.read()
  await turn()
  assert.deepEqual(told, [], 'nothing was taken yet')
  sink.write(bytes)
  assert.deepEqual((await first).value, bytes)
  sink.end()
  sink.end()
  assert.deepEqual(await within(reader.read(), 'the end'), { value: undefined, done: true })
  assert.deepEqual(told, ['client'])
})

test('after cancel, destroy or an abort nothing is written, and the owner hears of it once', async () => {
  const ways: [
    how: string,
    end: (sink: WebSink, cancel: () => Promise<void>, abort: AbortController) => unknown,
  ][] = [
    ['cancel', (_, cancel) => cancel()],
    ['destroy', (sink) => sink.destroy()],
    ['abort', (_, __, abort) => abort.abort()],
    ['end', (sink) => sink.end()],
  ]
  for (const [how, end] of ways) {
    for (const [again, endAgain] of ways) {
      const abort = new AbortController()
      const { sink, told, reader } = sinkOf(abort.signal)
      const cancel = () => reader.cancel().catch(() => {})
      reader.closed.catch(() => {})
      await end(sink, cancel, abort)
      await endAgain(sink, cancel, abort)
      sink.write(bytes)
      await turn()
      assert.deepEqual(told, ['client'], `${how}, then ${again}`)
      const rest = await reader.read().catch(() => ({ value: undefined }))
      assert.equal(rest.value, undefined, `${how}, then ${again}`)
    }
  }
})

// Reads a source to its end, one item at a time, at the pace of whoever takes the items; stops the source as soon as
// nobody wants it any more.

import { SluiceError, shown } from './errors.ts'
import type { EventInput } from './event-stream/encode.ts'

/** What a source yields: a string is the data of an event, anything else is an event. */
export type PipeItem = string | EventInput

/** Where piped events come from. */
export type PipeSource = AsyncIterable<PipeItem> | Iterable<PipeItem> | ReadableStream<PipeItem>

/** A source with one way to read on and one to stop, whatever it was. */
interface Tap {
  next(): Promise<{ done?: boolean | undefined; value?: PipeItem | undefined }>
  stop(): unknown
}

/**
 * Gives each item to `push` and waits for it before it asks for the next. Settles with the number of items when the
 * source ends or `signal` aborts; rejects with what the source or `push` threw. The source is stopped at once on
 * abort, also in the middle of a read that never ends.
 */
export async function pump(
  source: PipeSource,
  signal: AbortSignal,
  push: (event: EventInput) => unknown,
): Promise<number> {
  const tap = open(source)
  let count = 0
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      const { done, value } = await tap.next()
      if (done || signal.aborted) return
      await push(typeof value === 'string' ? { data: value } : (value as EventInput)) // a wrong type is refused there
      count += 1
    }
  }
  let left: () => void = () => {}
  const aborted = new Promise<void>((resolve) => {
    left = resolve
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', left)
  })
  const finished = run()
  // After an abort nobody is left to hear how the source took it.
  finished.catch(() => {})
  try {
    await Promise.race([finished, aborted])
  } catch (error) {
    stop(tap)
    throw error
  } finally {
    // The signal may outlive the source by days.
    signal.removeEventListener('abort', left)
  }
  if (signal.aborted) stop(tap)
  return count
}

/** Stopping must neither throw nor be waited for: a generator that hangs in a read never answers. */
function stop(tap: Tap): void {
  Promise.resolve()
    .then(() => tap.stop())
    .catch(() => {})
}

function open(source: PipeSource): Tap {
  if (source instanceof ReadableStream) {
    // A stream's own iterator would wait for a pending read before it cancels; its reader does not.
    const reader = source.getReader()
    return { next: () => reader.read(), stop: () => reader.cancel() }
  }
  if (typeof source === 'object' && source !== null) {
    if (Symbol.asyncIterator in source) {
      const iterator = source[Symbol.asyncIterator]()
      return { next: () => iterator.next(), stop: () => iterator.return?.() }
    }
    if (Symbol.iterator in source) {
      const iterator = source[Symbol.iterator]()
      return { next: async () => iterator.next(), stop: () => iterator.return?.() }
    }
  }
  throw new SluiceError(
    'SLUICE_BAD_SOURCE',
    `${shown(source)} cannot be piped; pass an async iterable, an iterable, or a ReadableStream of events or strings.`,
  )
}

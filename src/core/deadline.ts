// A promise with an end in time, on a hub's clock.

import type { Clock } from './clock.ts'
import type { Abortable } from './tie.ts'

/** Runs `work` with a signal that is aborted after `ms`, or with `outer`; then the promise rejects, whatever `work` does. */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  outer: Abortable,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const abort = new AbortController()
  let give: (reason: unknown) => void = () => {}
  const late = new Promise<never>((_, reject) => {
    give = (reason) => {
      abort.abort(reason)
      reject(reason)
    }
  })
  const cancel = clock.after(ms, () => give(new Error(`no answer within ${ms} ms`)))
  const stop = (): void => give(outer.reason)
  outer.addEventListener('abort', stop)
  try {
    if (outer.aborted) stop()
    const working = work(abort.signal)
    // Nobody hears of it after the deadline.
    working.catch(() => {})
    return await Promise.race([working, late])
  } finally {
    cancel()
    outer.removeEventListener('abort', stop)
    late.catch(() => {})
  }
}

// Waiting for an engine, never for ever: a client library may keep a promise open for as long as its server is away.

import type { Abortable } from '../core/tie.ts'

export { type Abortable, Tie } from '../core/tie.ts'

/**
 * Settles as `work` does, or rejects after `timeout` milliseconds, or with a signal's reason as soon as it is aborted.
 * The work itself goes on; what becomes of it then is nobody's business.
 */
export function bounded<T>(
  work: Promise<T>,
  what: string,
  timeout: number,
  ...signals: readonly (Abortable | undefined)[]
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const end = () => {
      clearTimeout(timer)
      for (const signal of signals) signal?.removeEventListener('abort', aborted)
    }
    const aborted = () => {
      end()
      reject(signals.find((signal) => signal?.aborted)?.reason)
    }
    const timer = setTimeout(() => {
      end()
      reject(new Error(`${what} took more than ${timeout} ms`))
    }, timeout)
    work.then(
      (value) => {
        end()
        resolve(value)
      },
      (error: unknown) => {
        end()
        reject(error)
      },
    )
    if (signals.some((signal) => signal?.aborted)) aborted()
    else for (const signal of signals) signal?.addEventListener('abort', aborted)
  })
}

/** Resolves after `ms` milliseconds, or at once when the signal is aborted: who waited looks at the signal. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    if (signal?.aborted) end()
    else signal?.addEventListener('abort', end)
  })
}

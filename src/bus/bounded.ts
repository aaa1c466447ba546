// Waiting for an engine, never for ever: a client library may keep a promise open for as long as its server is away.

/** What an AbortSignal has of it; a signal itself warns of leaks where more than ten wait, and here thousands may. */
export interface Abortable {
  readonly aborted: boolean
  readonly reason: unknown
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** What many wait for, for as long as it holds: a connection, say. */
export class Tie implements Abortable {
  readonly #listeners = new Set<() => void>()
  aborted = false
  reason: unknown

  addEventListener(_: 'abort', listener: () => void): void {
    this.#listeners.add(listener)
  }

  removeEventListener(_: 'abort', listener: () => void): void {
    this.#listeners.delete(listener)
  }

  abort(reason: unknown): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    for (const listener of this.#listeners) listener()
  }
}

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

// What many wait for: an AbortSignal in all but its warning of leaks, which it gives where more than ten do.

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

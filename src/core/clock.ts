// Time and turns of the event loop, as the hub sees them. Everything that waits asks a Clock, so that tests can
// turn the hands themselves. Monotonic only: the wall clock jumps and is never asked.

/** Where a hub takes its time from. Implementations must never call back before the method returns. */
export interface Clock {
  /** Milliseconds that only ever grow. */
  now(): number
  /** Runs `callback` once, after what this turn of the event loop still publishes, before the loop waits again. */
  soon(callback: () => void): void
  /** Runs `callback` every `ms` milliseconds until the returned function is called; must not keep a process alive. */
  every(ms: number, callback: () => void): () => void
  /** Runs `callback` once after `ms` milliseconds unless the returned function is called; may keep a process alive. */
  after(ms: number, callback: () => void): () => void
}

// Not every platform with `Request` and `Response` has setImmediate.
const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => unknown }

/** The platform's own monotonic clock and timers: the default of every hub. */
export const systemClock: Clock = Object.freeze({
  now: () => performance.now(),
  soon: (callback: () => void) => {
    if (setImmediate) setImmediate(callback)
    else setTimeout(callback, 0)
  },
  every: (ms: number, callback: () => void) => {
    const timer: unknown = setInterval(callback, ms)
    unref(timer)
    return () => clearInterval(timer as number)
  },
  after: (ms: number, callback: () => void) => {
    const timer: unknown = setTimeout(callback, ms)
    return () => clearTimeout(timer as number)
  },
})

/** Node and Bun return an object that can let the process go; browsers and workers return a number. */
function unref(timer: unknown): void {
  if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function') {
    timer.unref()
  }
}

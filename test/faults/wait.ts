// Waiting that ends: for a condition, for a promise, for a turn of the event loop.

import { Broken } from './scenario.ts'

const PATIENCE = 30_000

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) await turn()
}

/** For a scenario whose subject is time itself, and to look at something every so often. */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Settles when `done` holds; looks every few milliseconds, so that waiting does not busy the machine. */
export async function eventually(done: () => boolean, what: string, patience = PATIENCE): Promise<void> {
  const end = performance.now() + patience
  while (!done()) {
    if (performance.now() > end) throw new Broken(`waited ${patience} ms in vain for ${what}`)
    await pause(2)
  }
}

export async function within<T>(promise: Promise<T>, what: string, patience = PATIENCE): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Broken(`waited ${patience} ms in vain for ${what}`)), patience)
      }),
    ])
  } finally {
    clearTimeout(timer)
  }
}

// What lies between the reader of a response and the iteration: events that were decoded and not yet taken. The reader
// asks for more bytes only when it is empty, so it never holds more than one read gave.

import { Deque } from '../core/deque.ts'

interface Taker<T> {
  resolve(item: T | undefined): void
  reject(error: unknown): void
}

export class Inbox<T> {
  readonly #items = new Deque<T>()
  /** Iterations that wait; only while there is no item. */
  readonly #takers = new Deque<Taker<T>>()
  #over = false
  /** What the iteration is to throw, once, after the items. In an object, for `undefined` can be thrown. */
  #failure: { readonly thrown: unknown } | undefined
  #onEmpty: (() => void) | undefined

  get isEmpty(): boolean {
    return this.#items.length === 0
  }

  push(item: T): void {
    if (this.#over) return
    const taker = this.#takers.shift()
    if (taker) taker.resolve(item)
    else this.#items.push(item)
  }

  /** The next item; `undefined` when there will be none. Rejects with what it was ended with, once. */
  take(): Promise<T | undefined> {
    const item = this.#items.shift()
    if (item !== undefined) {
      if (this.isEmpty) this.#emptied()
      return Promise.resolve(item)
    }
    if (!this.#over) return new Promise((resolve, reject) => this.#takers.push({ resolve, reject }))
    const failure = this.#failure
    this.#failure = undefined
    return failure ? Promise.reject(failure.thrown) : Promise.resolve(undefined)
  }

  /** Settles when every item was taken, or it has ended. */
  empty(): Promise<void> {
    return new Promise((resolve) => {
      if (this.isEmpty || this.#over) resolve()
      else this.#onEmpty = resolve
    })
  }

  /** No more items. Those that are there can still be taken, then comes the failure. */
  end(failure?: { readonly thrown: unknown }): void {
    if (this.#over) return
    this.#over = true
    this.#failure = failure
    this.#emptied()
    for (let taker = this.#takers.shift(); taker; taker = this.#takers.shift()) {
      this.take().then(taker.resolve, taker.reject)
    }
  }

  /** Lets go of what was not taken, a failure included. */
  clear(): void {
    this.#items.retain(() => false)
    this.#failure = undefined
  }

  #emptied(): void {
    this.#onEmpty?.()
    this.#onEmpty = undefined
  }
}

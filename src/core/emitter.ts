// Listeners of a hub. What they throw is contained: a listener must never end a stream or lose an event.

import { isThenable } from './thenable.ts'

type Listeners = { [event: string]: (...args: never[]) => void }

export class Emitter<Events extends Listeners> {
  readonly #listeners = new Map<keyof Events, Set<(...args: never[]) => void>>()
  readonly #onThrow: (error: unknown) => void

  constructor(onThrow: (error: unknown) => void) {
    this.#onThrow = onThrow
  }

  /** Adds a listener; the returned function takes it away again. */
  on<Name extends keyof Events>(name: Name, listener: Events[Name]): () => void {
    const listeners = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, listeners)
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
    }
  }

  has(name: keyof Events): boolean {
    return (this.#listeners.get(name)?.size ?? 0) > 0
  }

  emit<Name extends keyof Events>(name: Name, ...args: Parameters<Events[Name]>): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        // The map's value type forgets which arguments belong to which name; `on` has checked them.
        const answer: unknown = (listener as (...args: Parameters<Events[Name]>) => unknown)(...args)
        // An async listener throws later.
        if (isThenable(answer)) answer.then(undefined, this.#onThrow)
      } catch (error) {
        this.#onThrow(error)
      }
    }
  }
}

// The private sends of one connection that were not written yet: events that belong to no channel. Each remembers
// the position it was sent at, so that it goes out in the order of the calls, between the channels' frames.

import { Deque } from './deque.ts'

export interface Letter {
  /** Frames up to here were published before this was sent. */
  readonly after: number
  readonly bytes: Uint8Array
  /** 1 for an event of the application, 0 for what the hub itself has to say. */
  readonly events: 0 | 1
}

export class Outbox {
  /** Bytes waiting. */
  bytes = 0
  #letters = new Deque<Letter>()

  get length(): number {
    return this.#letters.length
  }

  get next(): Letter | undefined {
    return this.#letters.at(0)
  }

  push(after: number, bytes: Uint8Array, events: 0 | 1): void {
    this.#letters.push({ after, bytes, events })
    this.bytes += bytes.length
  }

  /** Puts something in front of everything. */
  unshift(bytes: Uint8Array): void {
    this.#letters.unshift({ after: 0, bytes, events: 0 })
    this.bytes += bytes.length
  }

  /** Everything in it goes out as if sent at `after`: positions start anew. */
  rebase(after: number): void {
    const letters = new Deque<Letter>()
    for (let letter = this.#letters.shift(); letter; letter = this.#letters.shift()) {
      letters.push({ ...letter, after })
    }
    this.#letters = letters
  }

  shift(): void {
    const letter = this.#letters.shift()
    if (letter) this.bytes -= letter.bytes.length
  }
}

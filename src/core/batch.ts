// Joins frames into the bytes of one write, and shares the result: readers that stand at the same place get the
// same buffer, so that a batch is copied once for all of them. One memo for the whole hub, not one per channel: it
// pins at most one batch.

import { concat } from './bytes.ts'
import type { Log } from './log.ts'

/** What one write takes from the log. Immutable: it may be shared. */
export interface Batch {
  readonly bytes: Uint8Array | undefined
  readonly events: number
  /** The cursor may move here … */
  readonly through: number
  /** … or to the head of the hub, when nothing was left unread. */
  readonly whole: boolean
}

export class Batcher {
  #log: Log | undefined
  #newest = 0
  #limit = 0
  /** The memo serves every cursor in `[#above, #first)`: none of them has read a frame of the batch, nor misses one before it. */
  #above = 0
  #first = 0
  #batch: Batch | undefined

  #lastChunks: readonly Uint8Array[] = []
  #lastJoined: Uint8Array | undefined

  /** All frames of `log` after `after`, up to `limit` bytes but at least one frame. The caller has seen to it that there is one. */
  read(log: Log, after: number, limit: number): Batch {
    if (
      this.#batch &&
      this.#log === log &&
      this.#newest === log.newest &&
      this.#limit === limit &&
      after >= this.#above &&
      after < this.#first
    ) {
      return this.#batch
    }
    const start = log.indexAfter(after)
    const chunks: Uint8Array[] = []
    let size = 0
    let first = 0
    let through = after
    let index = start
    for (; index < log.end; index += 1) {
      const frame = log.at(index)
      if (!frame) continue
      if (chunks.length > 0 && size + frame.bytes.length > limit) break
      if (chunks.length === 0) first = frame.sequence
      chunks.push(frame.bytes)
      size += frame.bytes.length
      through = frame.sequence
    }
    const batch: Batch = { bytes: concat(chunks), events: chunks.length, through, whole: index === log.end }
    this.#log = log
    this.#newest = log.newest
    this.#limit = limit
    this.#above = after
    this.#first = first
    this.#batch = batch
    return batch
  }

  /** The same bytes as last time when the same chunks come again: readers of the same channels share one copy. */
  join(chunks: readonly Uint8Array[]): Uint8Array | undefined {
    if (chunks.length < 2) return chunks[0]
    if (this.#lastJoined && same(chunks, this.#lastChunks)) return this.#lastJoined
    this.#lastChunks = chunks
    this.#lastJoined = concat(chunks)
    return this.#lastJoined
  }

  /** Lets the last batch go, so that a hub at rest pins nothing. */
  release(): void {
    this.#log = undefined
    this.#batch = undefined
    this.#lastChunks = []
    this.#lastJoined = undefined
  }
}

function same(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((chunk, index) => chunk === b[index])
}

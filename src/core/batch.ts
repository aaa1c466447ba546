// Joins frames into the bytes of one write, and shares the result: readers that stand at the same place get the
// same buffer, so that a batch is copied once for all of them. A few memos for the whole hub, not one per channel: they
// pin a few batches, and none once the hub is at rest.

import { concat, LARGE } from './bytes.ts'
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

/** What was read before, for whoever stands at the same place. */
interface Memo {
  readonly log: Log
  readonly newest: number
  readonly limit: number
  /** It serves every cursor in `[above, first)`: none of them has read a frame of the batch, nor misses one before it. */
  readonly above: number
  readonly first: number
  readonly batch: Batch
}

/** Places remembered at once: readers that lag stand at a few, one behind the other. */
const MEMOS = 16

export class Batcher {
  #memos: Memo[] = []
  #last: Memo | undefined

  #lastChunks: readonly Uint8Array[] = []
  #lastJoined: Uint8Array | undefined

  /** All frames of `log` after `after`, up to `limit` bytes but at least one frame. The caller has seen to it that there is one. */
  read(log: Log, after: number, limit: number): Batch {
    const known = this.#find(log, after, limit)
    if (known) return known.batch
    const chunks: Uint8Array[] = []
    let size = 0
    let first = 0
    let through = after
    let index = log.indexAfter(after)
    for (; index < log.end; index += 1) {
      const frame = log.at(index)
      if (!frame) continue
      const { length } = frame.bytes
      if (chunks.length > 0 && (size + length > limit || length >= LARGE)) break
      if (chunks.length === 0) first = frame.sequence
      chunks.push(frame.bytes)
      size += length
      through = frame.sequence
      if (length < LARGE) continue
      index += 1
      break
    }
    const batch: Batch = { bytes: concat(chunks), events: chunks.length, through, whole: index === log.end }
    this.#last = { log, newest: log.newest, limit, above: after, first, batch }
    if (this.#memos.length === MEMOS) this.#memos.shift()
    this.#memos.push(this.#last)
    return batch
  }

  #find(log: Log, after: number, limit: number): Memo | undefined {
    const serves = (memo: Memo): boolean =>
      memo.log === log &&
      memo.limit === limit &&
      after >= memo.above &&
      after < memo.first &&
      // A batch that was full is the same whatever came since.
      (memo.newest === log.newest || !memo.batch.whole)
    if (this.#last && serves(this.#last)) return this.#last
    const found = this.#memos.find(serves)
    if (found) this.#last = found
    return found
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
    this.#memos = []
    this.#last = undefined
    this.#lastChunks = []
    this.#lastJoined = undefined
  }
}

function same(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((chunk, index) => chunk === b[index])
}

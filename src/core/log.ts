// The bounded log of one channel: frames in the order of their positions, bounded by count, bytes and age.
// It knows no connection. Whoever reads it says after which position.
//
// A log that conflates (overflow: 'latest') keeps, of the frames that its bounds push out, the newest of each key.
// They stand in front of the others in the order of their positions, so that readers find one log, older part compacted.

import { Deque } from './deque.ts'
import type { Frame } from './frame.ts'

export interface LogBounds {
  maxEvents: number
  maxBytes: number
  maxAge: number
}

export class Log {
  /** The sequence of the newest frame ever appended, 0 before the first; stays when the frame is gone. */
  newest = 0
  /**
   * Every frame that is gone for good, and was not superseded, lies at or below this sequence. A cursor below it
   * has lost something and must be told.
   */
  lostThrough: number
  /**
   * What came up to here was never held by this process: with a bus, it can still be read there. Equal to `lostThrough` as long as
   * the bounds have pushed nothing out.
   */
  coldBefore: number
  /** Bytes held now. */
  bytes = 0
  /** Changes whenever an index of `at` may come to mean another frame. */
  version = 0

  #bounds: LogBounds
  readonly #frames = new Deque<Frame>()
  /** Frames beyond the bounds that are still the newest of their key. Superseded ones lie dead among them until `#compact`. */
  readonly #kept = new Deque<Frame>()
  #keptDead = 0
  /** The newest frame of each key, when this log conflates. Frames without a key share one. */
  #newestByKey: Map<string | undefined, Frame> | undefined
  /** Positions of the ids that the publisher gave. Minted ids need no entry. */
  #ownIds: Map<string, number> | undefined

  constructor(bounds: LogBounds, conflates: boolean, lostThrough: number) {
    this.#bounds = bounds
    this.lostThrough = lostThrough
    this.coldBefore = lostThrough
    this.#newestByKey = conflates ? new Map() : undefined
  }

  /** Frames that can be read now. */
  get count(): number {
    return this.#frames.length + this.#kept.length - this.#keptDead
  }

  /** One past the last index of `at`. */
  get end(): number {
    return this.#kept.length + this.#frames.length
  }

  /** The frame at `index`, oldest first; a superseded one is to be skipped only where it lies in the compacted part. */
  at(index: number): Frame | undefined {
    const kept = this.#kept.length
    if (index >= kept) return this.#frames.at(index - kept)
    const frame = this.#kept.at(index)
    return frame?.superseded ? undefined : frame
  }

  get oldest(): Frame | undefined {
    for (let index = 0; index < this.end; index += 1) {
      const frame = this.at(index)
      if (frame) return frame
    }
    return undefined
  }

  get latest(): Frame | undefined {
    return this.#frames.at(this.#frames.length - 1)
  }

  /** The index of the first frame after `sequence`: binary search, for a cursor may stand anywhere. */
  indexAfter(sequence: number): number {
    let low = 0
    let high = this.end
    // The caught-up reader is the common one: look at the last frames first.
    const last = this.#frames.length - 1
    if (last > 0 && (this.#frames.at(last - 1) as Frame).sequence <= sequence) low = high - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#sequenceAt(middle) <= sequence) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The position of an id that the publisher gave, as long as its frame is here. */
  find(ownId: string): number | undefined {
    return this.#ownIds?.get(ownId)
  }

  append(frame: Frame): void {
    this.newest = frame.sequence
    this.bytes += frame.size
    this.#frames.push(frame)
    if (frame.ownId) {
      this.#ownIds ??= new Map()
      this.#ownIds.set(frame.event.id, frame.sequence)
    }
    if (this.#newestByKey) this.#supersede(frame, this.#newestByKey)
    this.#enforce()
  }

  /** Puts what was read back in front: everything in `(after, coldBefore]`, or what the engine still has of it. */
  recall(older: readonly Frame[], after: number, lostThrough: number): void {
    if (this.lostThrough !== this.coldBefore) return // the bounds have no room for what is older
    const held: Frame[] = []
    for (let index = 0; index < this.end; index += 1) {
      const frame = this.at(index)
      if (frame) held.push(frame)
    }
    const { newest } = this
    this.#empty()
    this.coldBefore = after
    this.lostThrough = Math.max(after, lostThrough)
    // As if they had arrived in this order, so that bounds and conflation do the same.
    for (const frame of [...older, ...held]) {
      frame.superseded = false
      this.append(frame)
    }
    this.newest = Math.max(newest, this.newest)
  }

  /** Everything goes, and is not told here: positions up to `head` mean nothing any more. */
  restart(head: number): void {
    this.#empty()
    this.newest = 0
    this.lostThrough = head
    this.coldBefore = head
  }

  /** Something up to `through` never arrived here, and never will. */
  lose(through: number): void {
    this.lostThrough = Math.max(this.lostThrough, through)
  }

  #empty(): void {
    this.#frames.retain(() => false)
    this.#kept.retain(() => false)
    this.#keptDead = 0
    this.#newestByKey?.clear()
    this.#ownIds = undefined
    this.bytes = 0
    this.version += 1
  }

  /** Says that a variant's encoding now belongs to `frame`, so that the bound on bytes covers it. */
  grow(frame: Frame, bytes: number): void {
    // The variant is the application's code: it may have published so much that the frame is gone already.
    if (this.at(this.indexAfter(frame.sequence - 1)) !== frame) return
    frame.size += bytes
    this.bytes += bytes
  }

  /** Drops what is beyond the bounds, once variants have been added. */
  trim(): void {
    this.#enforce()
  }

  /** Drops what is older than `maxAge`. */
  expire(now: number): void {
    const before = now - this.#bounds.maxAge
    for (let frame = this.#kept.at(0); frame && frame.at < before; frame = this.#kept.at(0)) this.#dropKept()
    for (let frame = this.#frames.at(0); frame && frame.at < before; frame = this.#frames.at(0)) {
      this.#frames.shift()
      this.version += 1
      this.#forget(frame)
    }
  }

  /** Takes new bounds, and from now on conflates or not. */
  configure(bounds: LogBounds, conflates: boolean): void {
    this.#bounds = bounds
    if (conflates && !this.#newestByKey) {
      this.#newestByKey = new Map()
      for (let index = 0; index < this.#frames.length; index += 1) {
        this.#supersede(this.#frames.at(index) as Frame, this.#newestByKey)
      }
    } else if (!conflates && this.#newestByKey) {
      this.#newestByKey = undefined
      while (this.#kept.length > 0) this.#dropKept()
      // What was conflated away so far counts as lost from now on.
      const oldest = this.#frames.at(0)
      if (oldest) this.lostThrough = Math.max(this.lostThrough, oldest.sequence - 1)
      for (let index = 0; index < this.#frames.length; index += 1) {
        ;(this.#frames.at(index) as Frame).superseded = false
      }
    }
    this.#enforce()
  }

  #sequenceAt(index: number): number {
    const kept = this.#kept.length
    return ((index < kept ? this.#kept.at(index) : this.#frames.at(index - kept)) as Frame).sequence
  }

  #supersede(frame: Frame, newestByKey: Map<string | undefined, Frame>): void {
    const { key } = frame.event
    const older = newestByKey.get(key)
    newestByKey.set(key, frame)
    if (!older) return
    older.superseded = true
    const firstFrame = this.#frames.at(0) as Frame // there is one: `frame` itself at least
    if (older.sequence >= firstFrame.sequence) return
    // It lay in the compacted part: nobody will read it again.
    this.bytes -= older.size
    this.#dropOwnId(older)
    this.#keptDead += 1
    if (this.#keptDead * 2 > this.#kept.length) this.#compact()
  }

  #compact(): void {
    this.#kept.retain((frame) => !frame.superseded)
    this.#keptDead = 0
    this.version += 1
  }

  /** The newest frame always stays, whatever its size: caught-up cursors have still to read it. */
  #enforce(): void {
    const { maxEvents, maxBytes } = this.#bounds
    while (this.count > 1 && (this.count > maxEvents || this.bytes > maxBytes)) {
      // The newest value of a key is worth more than the history of another: only when nothing but newest values
      // is left does the oldest of them go.
      if (this.#frames.length === 1) {
        this.#dropKept()
        continue
      }
      const frame = this.#frames.shift() as Frame // there are at least two: tested above
      this.version += 1
      if (this.#newestByKey && !frame.superseded) this.#kept.push(frame)
      else this.#forget(frame)
    }
  }

  #dropKept(): void {
    const frame = this.#kept.shift()
    if (!frame) return
    this.version += 1
    if (frame.superseded) this.#keptDead -= 1
    else this.#forget(frame)
  }

  #forget(frame: Frame): void {
    this.bytes -= frame.size
    this.#dropOwnId(frame)
    if (frame.superseded) return
    // What the bus lost may lie above it.
    this.lostThrough = Math.max(this.lostThrough, frame.sequence)
    if (this.#newestByKey?.get(frame.event.key) === frame) this.#newestByKey.delete(frame.event.key)
  }

  #dropOwnId(frame: Frame): void {
    if (frame.ownId && this.#ownIds?.get(frame.event.id) === frame.sequence)
      this.#ownIds.delete(frame.event.id)
  }
}

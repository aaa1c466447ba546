// A body's bytes into what the rules want to know of it: when each block began and was complete, its ids, its line
// ends, and what is wrong with it. What an EventSource would make of it is the decoder's word, not this file's.
// Bounded in memory whatever comes.

import { createDecoder, type DecodedEvent } from '../core/event-stream/decode.ts'
import type { BlockSeen, StreamSeen } from './observations.ts'
import { findStamp } from './stamps.ts'

/** Decoded bytes that are read of one body; more is a flood, and says nothing new. */
export const MAX_BODY_BYTES = 16_777_216
/** Blocks that are remembered one by one. */
export const MAX_BLOCKS = 10_000
/** The largest event that is put together. */
const MAX_EVENT = 4_194_304
/** What is kept of a line to know it by. */
const LINE_HEAD = 512
const BEGINNING = 600
const MAX_UNKNOWN = 5
const MAX_RETRIES = 20
/** Longer ids are cut: nobody can send them back anyway. */
const MAX_ID = 1_024

const LF = 0x0a
const CR = 0x0d
const BOM = [0xef, 0xbb, 0xbf]
const HEARTBEAT_NAME = /^(heart-?beat|ping|keep-?alive|hb|noop)$/i

export class StreamWatch {
  #bytes = 0
  #firstByteAt: number | undefined
  readonly #beginning = Buffer.alloc(BEGINNING)
  #stopped: StreamSeen['stopped']
  readonly #blocks: BlockSeen[] = []
  #blockCount = 0
  #events = 0
  readonly #retries: string[] = []
  readonly #lineEnds = { lf: 0, crlf: 0, cr: 0 }
  #nulIds = 0
  readonly #unknownFields = new Set<string>()
  #unknownFieldCount = 0
  #datalessEvents = 0
  #badUtf8 = false

  /** Throws at what is not UTF-8; then it is asked no more. */
  #strict: TextDecoder | undefined = new TextDecoder('utf-8', { fatal: true })
  #fired: DecodedEvent | undefined
  readonly #decoder = createDecoder(
    (event) => {
      this.#events += 1
      this.#fired = event
    },
    { maxBufferBytes: MAX_EVENT },
  )

  /** The line that has begun. */
  readonly #head = Buffer.alloc(LINE_HEAD)
  #lineLength = 0
  #afterCr = false
  /** The block that has begun: when, and what its lines were. */
  #block = newBlock()

  /** False once nothing more is wanted. */
  write(bytes: Uint8Array, at: number): boolean {
    if (this.#stopped) return false
    if (bytes.length === 0) return true
    this.#firstByteAt ??= at
    if (this.#bytes < BEGINNING) this.#beginning.set(bytes.subarray(0, BEGINNING - this.#bytes), this.#bytes)
    this.#checkUtf8(bytes)
    try {
      this.#read(bytes, at)
    } catch {
      this.#stopped = 'overflow' // the decoder throws nothing else here: its callbacks do not throw
    }
    if (!this.#stopped && this.#bytes > MAX_BODY_BYTES) this.#stopped = 'flood'
    return this.#stopped === undefined
  }

  stop(why: NonNullable<StreamSeen['stopped']>): void {
    this.#stopped ??= why
  }

  seen(wire: Pick<StreamSeen, 'wireBytes' | 'firstWireByteAt' | 'lastWireByteAt'>): StreamSeen {
    return {
      ...wire,
      bytes: this.#bytes,
      firstByteAt: this.#firstByteAt,
      beginning: this.#beginning.subarray(0, Math.min(this.#bytes, BEGINNING)).toString('utf8'),
      blockCount: this.#blockCount,
      blocks: [...this.#blocks],
      events: this.#events,
      retries: [...this.#retries],
      lineEnds: { ...this.#lineEnds },
      bom: this.#bytes >= 3 && BOM.every((byte, index) => this.#beginning[index] === byte),
      nulIds: this.#nulIds,
      unknownFields: [...this.#unknownFields],
      unknownFieldCount: this.#unknownFieldCount,
      datalessEvents: this.#datalessEvents,
      badUtf8: this.#badUtf8,
      unfinishedBytes: this.#block.bytes,
      stopped: this.#stopped,
    }
  }

  #checkUtf8(bytes: Uint8Array): void {
    try {
      this.#strict?.decode(bytes, { stream: true })
    } catch {
      this.#badUtf8 = true
      this.#strict = undefined
    }
  }

  #read(bytes: Uint8Array, at: number): void {
    let handed = 0
    let index = 0
    while (this.#bytes + index < BOM.length && bytes[index] === BOM[this.#bytes + index]) index += 1
    while (index < bytes.length) {
      if (this.#afterCr) {
        this.#afterCr = false
        if (bytes[index] === LF) {
          this.#lineEnds.crlf += 1
          index += 1
          continue
        }
        this.#lineEnds.cr += 1
      }
      if (this.#block.bytes === 0) this.#block.begunAt = at
      const end = lineEnd(bytes, index)
      this.#addToLine(bytes.subarray(index, end))
      if (end === bytes.length) break
      this.#block.bytes += 1
      index = end + 1
      if (bytes[end] === CR) this.#afterCr = true
      else this.#lineEnds.lf += 1
      if (this.#lineLength > 0) {
        this.#line(this.#head.subarray(0, Math.min(this.#lineLength, LINE_HEAD)))
        this.#lineLength = 0
        continue
      }
      // Beyond what is remembered block by block, the decoder gets all at once: of a flood only the count matters.
      if (this.#blockCount < MAX_BLOCKS) {
        this.#decoder.write(bytes.subarray(handed, index))
        handed = index
      }
      this.#endBlock(at)
    }
    if (handed < bytes.length) this.#decoder.write(bytes.subarray(handed))
    this.#bytes += bytes.length
  }

  #addToLine(part: Uint8Array): void {
    const room = LINE_HEAD - this.#lineLength
    if (room > 0) this.#head.set(room < part.length ? part.subarray(0, room) : part, this.#lineLength)
    this.#lineLength += part.length
    this.#block.bytes += part.length
  }

  #line(head: Buffer): void {
    // Of a flood only the blocks are counted.
    if (this.#blockCount >= MAX_BLOCKS) {
      this.#block.fields += 1
      return
    }
    const text = head.toString('utf8')
    const colon = text.indexOf(':')
    if (colon === 0) {
      this.#block.comments += 1
      return
    }
    const name = colon === -1 ? text : text.slice(0, colon)
    const value = colon === -1 ? '' : text.slice(colon + 1).replace(/^ /, '')
    this.#block.fields += 1
    switch (name) {
      case 'data':
        this.#block.stamp ??= findStamp(value)
        break
      case 'event':
        this.#block.named = true
        break
      case 'id':
        if (value.includes('\0')) this.#nulIds += 1
        else {
          this.#block.hasId = true
          this.#block.stamp ??= findStamp(value)
        }
        break
      case 'retry':
        if (this.#retries.length < MAX_RETRIES) this.#retries.push(value.slice(0, 40))
        break
      default:
        this.#unknownFieldCount += 1
        if (this.#unknownFields.size < MAX_UNKNOWN) this.#unknownFields.add(name.slice(0, 40))
    }
  }

  #endBlock(at: number): void {
    const { begunAt, bytes, comments, fields, named, hasId, stamp } = this.#block
    const fired = this.#fired
    this.#block = newBlock()
    this.#fired = undefined
    // An empty line on its own is no block.
    if (comments + fields === 0) return
    this.#blockCount += 1
    if (this.#blocks.length >= MAX_BLOCKS) return
    if (named && !fired) this.#datalessEvents += 1
    this.#blocks.push({
      begunAt,
      at,
      bytes,
      fired: fired !== undefined,
      heartbeat: fields === 0 || (fired !== undefined && HEARTBEAT_NAME.test(fired.event)),
      event: fired?.event.slice(0, 100),
      id: hasId ? this.#decoder.lastEventId.slice(0, MAX_ID) : undefined,
      stamp,
    })
  }
}

/** Where the line that goes on at `from` ends, or the bytes' length. */
function lineEnd(bytes: Uint8Array, from: number): number {
  let index = from
  while (index < bytes.length && bytes[index] !== LF && bytes[index] !== CR) index += 1
  return index
}

function newBlock() {
  return {
    begunAt: 0,
    bytes: 0,
    comments: 0,
    fields: 0,
    named: false,
    hasId: false,
    stamp: undefined as number | undefined, // so that the type is not that of undefined alone
  }
}

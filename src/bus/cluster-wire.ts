// What the sequencer of a machine and its processes say to each other over a local socket: a length, a head in JSON, and bytes.
// Both ends are of one application, but neither trusts what it reads: a frame that breaks the rules ends the connection.

import type { Socket } from 'node:net'
import type { Entry } from '../core/bus.ts'

/** The greatest frame: a page of the largest entries, with room to spare. */
const MAX_FRAME = 134_217_728
const PREFIX = 8

/** An entry without its body, whose bytes stand behind the head. */
export interface EntryHead {
  readonly p: number
  readonly q: number
  readonly c: string
  readonly n: number
}

/** The heads of frames, by kind. */
export type Head =
  | { readonly k: 'append'; readonly r: number; readonly c: string; readonly d?: string | undefined }
  | { readonly k: 'appended'; readonly r: number; readonly p: number }
  | { readonly k: 'read'; readonly r: number; readonly after: number; readonly limit: number }
  | {
      readonly k: 'page'
      readonly r: number
      readonly head: number
      readonly epoch: string
      readonly lost: boolean
      readonly entries: readonly EntryHead[]
    }
  | { readonly k: 'tail' }
  | { readonly k: 'untail' }
  | { readonly k: 'up'; readonly epoch: string; readonly head: number }
  | ({ readonly k: 'entry' } & EntryHead)

/** Everything written in one turn of the event loop leaves in one call to the kernel. */
export class FrameWriter {
  readonly #socket: Socket
  #corked = false

  constructor(socket: Socket) {
    this.#socket = socket
  }

  write(head: Head, ...bodies: readonly Uint8Array[]): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) return
    if (!this.#corked) {
      this.#corked = true
      this.#socket.cork()
      process.nextTick(() => {
        this.#corked = false
        this.#socket.uncork()
      })
    }
    const text = Buffer.from(JSON.stringify(head))
    const size = bodies.reduce((sum, { length }) => sum + length, 0)
    const prefix = Buffer.allocUnsafe(PREFIX)
    prefix.writeUInt32BE(text.length, 0)
    prefix.writeUInt32BE(size, 4)
    // What is small is copied into one piece: a piece costs the kernel more than the bytes in it.
    if (size <= 16_384) this.#socket.write(Buffer.concat([prefix, text, ...bodies]))
    else for (const piece of [prefix, text, ...bodies]) this.#socket.write(piece)
  }
}

/** Cuts what arrives into frames. Throws on what cannot be one. */
export class FrameReader {
  readonly #onFrame: (head: Head, body: Buffer) => void
  #pieces: Buffer[] = []
  #size = 0

  constructor(onFrame: (head: Head, body: Buffer) => void) {
    this.#onFrame = onFrame
  }

  /** @param bytes text only by its type: no socket of ours is given an encoding */
  read(bytes: Buffer | string): void {
    this.#pieces.push(typeof bytes === 'string' ? Buffer.from(bytes) : bytes)
    this.#size += bytes.length
    for (;;) {
      if (this.#size < PREFIX) return
      let buffer = this.#pieces[0] as Buffer // there are eight bytes at least
      if (buffer.length < PREFIX) buffer = this.#join()
      const head = buffer.readUInt32BE(0)
      const body = buffer.readUInt32BE(4)
      const end = PREFIX + head + body
      if (end > MAX_FRAME) throw new Error(`a frame of ${end} bytes`)
      if (this.#size < end) return
      if (buffer.length < end) buffer = this.#join()
      this.#pieces =
        buffer.length > end ? [buffer.subarray(end), ...this.#pieces.slice(1)] : this.#pieces.slice(1)
      this.#size -= end
      const text: unknown = JSON.parse(buffer.toString('utf8', PREFIX, PREFIX + head))
      if (typeof text !== 'object' || text === null || !('k' in text))
        throw new Error('a frame without a kind')
      this.#onFrame(text as Head, buffer.subarray(PREFIX + head, end)) // of our own making; fields are checked where they are used
    }
  }

  #join(): Buffer {
    const joined = Buffer.concat(this.#pieces)
    this.#pieces = [joined]
    return joined
  }
}

export function headOf({ position, previous, channel, body }: Entry): EntryHead {
  return { p: position, q: previous ?? position - 1, c: channel, n: body.length }
}

/** @param body is copied: it lies in a buffer that holds much else, and an entry may be kept for long */
export function entryOf({ p, q, c }: EntryHead, body: Uint8Array): Entry {
  return { position: p, previous: q, channel: c, body: Uint8Array.prototype.slice.call(body) }
}

// Follows a file as `tail -F` does: the lines appended to it from now on, through truncation, rotation and absence.
// It asks the file for its size at short intervals: watchers miss changes on network and container file systems.

import type { Stats } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { LineSplitter } from './lines.ts'

const PERIOD = 200
const CHUNK = 65_536
const MAX_LINE_BYTES = 8_192

/** What became of the file, in words for people; `missing` until it exists. */
export type FollowState = 'following' | 'missing' | 'truncated' | 'replaced' | 'unreadable'

export interface FollowOptions {
  path: string
  /** Called with each line; the next is read once its promise settles. */
  onLine: (line: string) => Promise<unknown>
  onState?: (state: FollowState, detail: string) => void
  /** Milliseconds between two looks. Default 200. */
  period?: number
}

export interface Following {
  readonly state: FollowState
  /** Settles after the first look: what is appended from then on is published. */
  readonly ready: Promise<void>
  /** Settles once nothing is open any more. */
  stop(): Promise<void>
}

/** Starts at the end of the file; at the beginning of one that appears later. */
export function follow({ path, onLine, onState, period = PERIOD }: FollowOptions): Following {
  const stopping = new AbortController()
  const follower = new Follower(path, onLine, onState ?? (() => {}), stopping.signal)
  const ready = follower.look()
  const done = ready.then(() => follower.run(period))
  return {
    ready,
    get state() {
      return follower.state
    },
    async stop() {
      stopping.abort()
      await done
    },
  }
}

class Follower {
  state: FollowState = 'missing'
  readonly #path: string
  readonly #onLine: (line: string) => Promise<unknown>
  readonly #onState: (state: FollowState, detail: string) => void
  readonly #signal: AbortSignal
  readonly #splitter = new LineSplitter(MAX_LINE_BYTES)
  readonly #buffer = Buffer.alloc(CHUNK)
  #file: FileHandle | undefined
  #offset = 0
  /** The first look starts at the end; what appears or takes the place of another later is new from its first byte. */
  #first = true

  constructor(
    path: string,
    onLine: (line: string) => Promise<unknown>,
    onState: (state: FollowState, detail: string) => void,
    signal: AbortSignal,
  ) {
    this.#path = path
    this.#onLine = onLine
    this.#onState = onState
    this.#signal = signal
  }

  async run(period: number): Promise<void> {
    while (!this.#signal.aborted) {
      await delay(period, undefined, { signal: this.#signal }).catch(() => {})
      await this.look()
    }
    await this.#close()
  }

  /** Never rejects: a file that cannot be read now may be readable the next time. */
  async look(): Promise<void> {
    if (this.#signal.aborted) return
    try {
      await this.#look()
    } catch (error) {
      await this.#close()
      this.#failed(error)
    }
    this.#first = false
  }

  async #look(): Promise<void> {
    if (!this.#file) await this.#open()
    const file = this.#file
    if (!file) return
    await this.#read(file)
    const [held, there] = await Promise.all([file.stat(), this.#there()])
    // Truncated and written beyond the old end between two looks: nothing shows that, here or in tail.
    if (held.size < this.#offset) {
      this.#offset = 0
      this.#splitter.reset()
      this.#say('truncated', 'it was truncated; reading it from its new beginning')
      await this.#read(file)
    }
    if (!there) {
      // Renamed or removed; its writer may not know yet, so what we hold is read on until another takes its place.
      this.#say('missing', 'it is gone; waiting for another to take its place')
    } else if (there.ino !== held.ino || there.dev !== held.dev) {
      // The writer may have appended between our last read and its renaming.
      await this.#read(file)
      await this.#emit(this.#splitter.end())
      await this.#close()
      this.#say('replaced', 'another file took its place; reading that from its beginning')
      await this.#open()
    }
  }

  async #there(): Promise<Stats | undefined> {
    try {
      return await stat(this.#path)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  async #open(): Promise<void> {
    this.#file = await open(this.#path, 'r')
    const found = await this.#file.stat()
    if (found.isDirectory()) throw new Error('it is a directory')
    this.#offset = this.#first ? found.size : 0
    this.#say('following', this.#first ? 'from its end' : 'from its beginning')
  }

  async #read(file: FileHandle): Promise<void> {
    while (!this.#signal.aborted) {
      const { bytesRead } = await file.read(this.#buffer, 0, CHUNK, this.#offset)
      if (bytesRead === 0) return
      this.#offset += bytesRead
      await this.#emit(this.#splitter.write(this.#buffer.subarray(0, bytesRead)))
    }
  }

  async #emit(lines: string[]): Promise<void> {
    for (const line of lines) await this.#onLine(line)
  }

  async #close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    this.#splitter.reset()
    await file?.close()
  }

  #failed(error: unknown): void {
    if (codeOf(error) === 'ENOENT') this.#say('missing', 'there is no such file yet; waiting for it')
    else this.#say('unreadable', error instanceof Error ? error.message : String(error))
  }

  #say(state: FollowState, detail: string): void {
    // `truncated` and `replaced` may happen again and again; the lasting states are told once.
    if (state === this.state && (state === 'missing' || state === 'unreadable') && !this.#first) return
    this.state = state
    this.#onState(state, detail)
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

// One feed of the log: a blocking read on a connection of its own, made again for as long as nobody closes it.

import type { TailListener } from '../core/bus.ts'
import { bounded, pause } from './bounded.ts'
import { guarded } from './guarded.ts'
import type { OwnConnection, RedisPort } from './redis-client.ts'
import { entriesOf, type RedisEntry, type RedisLog } from './redis-log.ts'

export interface TailParts {
  readonly port: RedisPort
  readonly log: RedisLog
  readonly listener: TailListener
  /** Milliseconds to wait for an answer. */
  readonly timeout: number
  readonly pageBytes: number
}

/** Milliseconds that Redis holds a read back for; after that and the timeout a connection that says nothing is dead. */
const BLOCK = 5_000

/** Entries that one wake-up takes unseen, however large they are; if there are more, the rest comes in pages bounded by bytes. */
const AT_ONCE = 8
const PAGE = 1_000

/** Milliseconds: the window of the first wait before another connection, and of the longest. */
const BASE = 100
const CAP = 2_000

export class RedisTail {
  readonly #parts: TailParts
  readonly #closing = new AbortController()
  #connection: OwnConnection | undefined
  #following: Promise<void> | undefined
  #epoch = ''
  /** What the next entries come after in the stream. */
  #last = 0
  /** The newest entry of this epoch that is known, 0 before the first: the stream may hold older epochs' behind it. */
  #known = 0
  #failures = 0

  constructor(parts: TailParts) {
    this.#parts = parts
  }

  /** Settles when the feed is up, or rejects when it cannot be. */
  async start(): Promise<void> {
    await this.#establish()
    this.#following = this.#follow()
  }

  async close(reason: unknown): Promise<void> {
    this.#closing.abort(reason)
    this.#connection?.end()
    await this.#following
  }

  async #establish(): Promise<void> {
    const { port, log, listener, timeout } = this.#parts
    const { signal } = this.#closing
    signal.throwIfAborted()
    const connection = port.another()
    this.#connection = connection
    try {
      await bounded(connection.connect(), 'Connecting to Redis', timeout, signal)
      const { epoch, head, floor } = await bounded(
        log.head(connection.send, this.#epoch, this.#known),
        'Asking Redis for the head of the log',
        timeout,
        signal,
      )
      this.#epoch = epoch
      this.#known = head
      this.#last = Math.max(head, floor)
      guarded(() => listener.up({ epoch, head }))
    } catch (cause) {
      connection.end()
      throw cause
    }
  }

  async #follow(): Promise<void> {
    const { listener } = this.#parts
    const { signal } = this.#closing
    let up = true
    while (!signal.aborted) {
      try {
        if (!up) await this.#establish()
        up = true
        await this.#feed()
      } catch (cause) {
        this.#connection?.end()
        if (signal.aborted) return
        if (up) guarded(() => listener.down(cause))
        up = false
        const window = Math.min(CAP, BASE * 2 ** this.#failures)
        this.#failures += 1
        await pause(window * (0.5 + Math.random() / 2), signal)
      }
    }
  }

  /** Tells entries until something breaks. */
  async #feed(): Promise<void> {
    const { log, timeout, pageBytes } = this.#parts
    const { send } = this.#connection as OwnConnection // made by #establish
    const { signal } = this.#closing
    const { stream } = log.keys
    while (!signal.aborted) {
      const reply = await bounded(
        send(stream, [
          'XREAD',
          'COUNT',
          String(AT_ONCE),
          'BLOCK',
          String(BLOCK),
          'STREAMS',
          stream,
          `${this.#last}-0`,
        ]),
        'Waiting for entries in Redis',
        BLOCK + timeout,
        signal,
      )
      const entries = entriesOf(reply)
      this.#tell(entries)
      this.#failures = 0
      if (entries.length < AT_ONCE) continue
      for (;;) {
        const { entries, epoch } = await bounded(
          log.read(send, this.#last, PAGE, pageBytes),
          'Reading a page from Redis',
          timeout,
          signal,
        )
        if (epoch !== this.#epoch) throw new Error('The log in Redis has begun a new epoch.')
        this.#tell(entries as readonly RedisEntry[]) // read() makes no others
        if (entries.length === 0) break
      }
    }
  }

  #tell(entries: readonly RedisEntry[]): void {
    const { log, listener } = this.#parts
    for (const found of entries) {
      const { epoch, ...entry } = found
      if (this.#closing.signal.aborted) return
      if (epoch !== this.#epoch) throw new Error('The log in Redis has begun a new epoch.')
      if (!log.tells(this.#known, found)) {
        throw new Error('Redis has lost entries that it had acknowledged.')
      }
      this.#known = entry.position
      this.#last = entry.position
      guarded(() => listener.entry(entry))
    }
  }
}

// The bus inside one process: several hubs of it share one log, and tests of hubs need no engine.

import type { AppendOptions, Bus, Entry, Page, TailListener } from '../core/bus.ts'
import { checkInteger, checkOptions } from '../core/check.ts'
import { Deque } from '../core/deque.ts'
import { SluiceError } from '../core/errors.ts'
import { newEpoch } from '../core/position.ts'
import { guarded } from './guarded.ts'

export interface MemoryBusOptions {
  /** Entries held, 100_000 by default. The oldest go first. */
  readonly maxEvents?: number
  /** Bytes held, of bodies, channel names and dedupe names, 64 MiB by default. The newest entry is held however large it is. */
  readonly maxBytes?: number
  /** Bytes of bodies after which a page of `read` ends; 1 MiB by default. One entry is always read. */
  readonly pageBytes?: number
}

/** A participant of a log in memory. */
export interface MemoryBus extends Bus {
  /** Another participant of the same log, for another hub: closing the one leaves the other open. */
  share(): MemoryBus
}

const KNOWN: readonly (keyof MemoryBusOptions)[] = ['maxEvents', 'maxBytes', 'pageBytes']

/**
 * A bus in the memory of this process, for several hubs in it (`share()`), and for tests. Its log ends with the process,
 * and so does its epoch.
 *
 * A dedupe name is known for as long as its entry is held. Feeds are told in a microtask after the append, never within it.
 *
 * @throws {SluiceError} SLUICE_BAD_OPTION naming the option, the value and the rule.
 */
export function memoryBus(options: MemoryBusOptions = {}): MemoryBus {
  return new Participant(new MemoryLog(options))
}

/** An entry with what it costs, and the name to be forgotten along with it. */
interface Held extends Entry {
  readonly bytes: number
  readonly dedupe: string | undefined
}

class MemoryLog {
  readonly epoch = newEpoch()
  readonly feeds = new Set<Feed>()
  head = 0
  readonly #held = new Deque<Held>()
  readonly #names = new Map<string, number>()
  readonly #maxEvents: number
  readonly #maxBytes: number
  readonly #pageBytes: number
  #bytes = 0

  constructor(options: MemoryBusOptions) {
    const given = checkOptions('memoryBus', options, KNOWN)
    this.#maxEvents = checkInteger('maxEvents', given.maxEvents ?? 100_000, 1)
    this.#maxBytes = checkInteger('maxBytes', given.maxBytes ?? 67_108_864, 1)
    this.#pageBytes = checkInteger('pageBytes', given.pageBytes ?? 1_048_576, 1)
  }

  append(channel: string, body: Uint8Array, dedupe: string | undefined): number {
    const known = dedupe === undefined ? undefined : this.#names.get(dedupe)
    if (known !== undefined) return known
    const previous = this.head
    this.head += 1
    // Two bytes a character is what a string costs at the most.
    const bytes = body.length + 2 * (channel.length + (dedupe?.length ?? 0))
    // A copy: the publisher may write the next event into the same buffer.
    this.#held.push({ position: this.head, previous, channel, body: new Uint8Array(body), bytes, dedupe })
    if (dedupe !== undefined) this.#names.set(dedupe, this.head)
    this.#bytes += bytes
    while (this.#held.length > this.#maxEvents || (this.#held.length > 1 && this.#bytes > this.#maxBytes)) {
      const oldest = this.#held.shift() as Held // there is one: the length was just compared
      this.#bytes -= oldest.bytes
      if (oldest.dedupe !== undefined) this.#names.delete(oldest.dedupe)
    }
    for (const feed of this.feeds) feed.wake()
    return this.head
  }

  read(after: number, limit: number): Page {
    const oldest = this.head - this.#held.length + 1
    const entries: Entry[] = []
    let bytes = 0
    for (let next = Math.max(after + 1, oldest); next <= this.head && entries.length < limit; next += 1) {
      const entry = this.at(next) as Held // between the oldest and the head
      bytes += entry.body.length
      if (entries.length > 0 && bytes > this.#pageBytes) break
      entries.push(shownOf(entry))
    }
    const lost = after < this.head && after + 1 < oldest
    return { entries, head: this.head, epoch: this.epoch, ...(lost ? { lost: 'trimmed' as const } : {}) }
  }

  /** Positions are dense here, so the place in the list follows from them. */
  at(position: number): Held | undefined {
    return this.#held.at(position - (this.head - this.#held.length + 1))
  }
}

function shownOf({ position, previous, channel, body }: Held): Entry {
  return { position, previous, channel, body }
}

/** One tail: a cursor in the log, so that a burst is held once, by the log. What is trimmed before it is told shows as a hole. */
class Feed {
  readonly #log: MemoryLog
  readonly #listener: TailListener
  #next: number
  #woken = false
  #open = true

  constructor(log: MemoryLog, listener: TailListener) {
    this.#log = log
    this.#listener = listener
    this.#next = log.head + 1
    log.feeds.add(this)
    guarded(() => listener.up({ epoch: log.epoch, head: log.head }))
  }

  wake(): void {
    if (this.#woken) return
    this.#woken = true
    queueMicrotask(() => {
      this.#woken = false
      this.#tell()
    })
  }

  #tell(): void {
    for (; this.#open && this.#next <= this.#log.head; this.#next += 1) {
      const entry = this.#log.at(this.#next)
      if (entry) guarded(() => this.#listener.entry(shownOf(entry)))
    }
  }

  close(): void {
    this.#open = false
    this.#log.feeds.delete(this)
  }
}

class Participant implements MemoryBus {
  readonly name = 'memory'
  readonly #log: MemoryLog
  readonly #feeds = new Set<Feed>()
  #closed = false

  constructor(log: MemoryLog) {
    this.#log = log
  }

  share(): MemoryBus {
    return new Participant(this.#log)
  }

  async append(channel: string, body: Uint8Array, { dedupe, signal }: AppendOptions = {}): Promise<number> {
    this.#check(signal)
    return this.#log.append(channel, body, dedupe)
  }

  async read(
    after: number,
    limit: number,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<Page> {
    this.#check(signal)
    return this.#log.read(after, limit)
  }

  async tail(listener: TailListener): Promise<{ close(): Promise<void> }> {
    this.#check(undefined)
    const feed = new Feed(this.#log, listener)
    this.#feeds.add(feed)
    return {
      close: async () => {
        feed.close()
        this.#feeds.delete(feed)
      },
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const feed of this.#feeds) feed.close()
    this.#feeds.clear()
  }

  #check(signal: AbortSignal | undefined): void {
    if (this.#closed) throw new SluiceError('SLUICE_HUB_CLOSED', 'The memory bus is closed.')
    signal?.throwIfAborted()
  }
}

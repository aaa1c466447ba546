// What Redis answers, as a bus wants it: entries and pages, and the proof that it has lost something.

import type { Entry, Page } from '../core/bus.ts'
import { SluiceError } from '../core/errors.ts'
import { newEpoch } from '../core/position.ts'
import type { RedisArgument, Send } from './redis-client.ts'
import { append, read, run } from './redis-scripts.ts'

/** The keys of one log. All carry one hash tag, so that a cluster keeps them on one node and a script may use them together. */
export interface LogKeys {
  readonly stream: string
  readonly meta: string
  readonly once: string
}

/** `news` becomes `{news}:log` and so on; a key that brings a tag keeps it. */
export function logKeys(key: string): LogKeys {
  const base = key.includes('{') ? key : `{${key}}`
  return { stream: `${base}:log`, meta: `${base}:meta`, once: `${base}:once:` }
}

export interface LogBounds {
  readonly maxEvents: number
  readonly maxBytes: number
  readonly dedupeFor: number
}

/** A page, and where the feed goes on from it. */
export interface ReadPage extends Page {
  readonly floor: number
}

/** A channel's name may begin with what would be a byte order mark. */
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** Acknowledged entries that are remembered until they have come back. */
const MOST_ACKED = 256

/** One participant's view of the log: what it has seen tells whether Redis has forgotten what it had acknowledged. */
export class RedisLog {
  readonly keys: LogKeys
  readonly #bounds: LogBounds
  #epoch = ''
  /** The newest position that is known to have been given out. */
  #newest = 0
  /** The newest that a feed has told. */
  #told = 0
  /** Acknowledged to this process, and not read since: neighbours that have one of these between them prove that it was lost. */
  readonly #acked = new Set<number>()
  #broken = ''
  /** The server's time less ours, in milliseconds, or less than that by the way of one answer. */
  #ahead: number | undefined

  constructor(keys: LogKeys, bounds: LogBounds) {
    this.keys = keys
    this.#bounds = bounds
  }

  async append(send: Send, channel: string, body: Uint8Array, dedupe: string): Promise<number> {
    const { stream, meta, once } = this.keys
    const { maxEvents, maxBytes, dedupeFor } = this.#bounds
    const deadline = await this.#deadline(send)
    const stored = run(
      send,
      append,
      [stream, meta, once + dedupe],
      [
        ...this.#opening(),
        channel,
        Buffer.from(body.buffer, body.byteOffset, body.byteLength),
        String(maxEvents),
        String(maxBytes),
        String(dedupeFor),
        String(deadline),
      ],
    )
    const reply = await stored.catch((error: unknown) => {
      // Sent again too late by the client library; or a clock was set, and is looked at again.
      if (error instanceof Error && error.message.startsWith('SLUICELATE')) this.#ahead = undefined
      throw error
    })
    const [epoch, at, previous] = list(reply)
    const position = number(at)
    this.saw(string(epoch), number(previous), position)
    if (position > this.#told && this.#acked.size < MOST_ACKED) this.#acked.add(position)
    return position
  }

  /**
   * Where the log stands; looks at what comes after the newest that a feed knows in `epoch`, for that shows whether the
   * log has lost it.
   */
  async head(send: Send, epoch: string, known: number): Promise<ReadPage> {
    const page = await this.read(send, known, 1, 1)
    const [first] = page.entries
    if (page.epoch !== epoch || !first || first.previous === undefined || first.previous >= known) return page
    this.#broken = epoch
    return this.read(send, known, 1, 1)
  }

  /** A page; where it shows that Redis has lost something, another of the new epoch. */
  async read(send: Send, after: number, limit: number, pageBytes: number): Promise<ReadPage> {
    const page = await this.#read(send, after, limit, pageBytes)
    return page.epoch === this.#broken ? this.#read(send, after, limit, pageBytes) : page
  }

  async #read(send: Send, after: number, limit: number, pageBytes: number): Promise<ReadPage> {
    const { stream, meta } = this.keys
    const reply = await run(
      send,
      read,
      [stream, meta],
      [...this.#opening(), String(after), String(limit), String(pageBytes)],
    )
    const [epoch, head, floor, found] = list(reply)
    const entries = list(found).map(entryOf)
    const page = { entries, epoch: string(epoch), head: number(head), floor: number(floor) }
    this.saw(page.epoch, page.head, page.head)
    for (const { previous, position } of entries) {
      this.saw(page.epoch, previous, position)
      this.#acked.delete(position)
    }
    const [first] = entries
    // The predecessor of the first that is held says it; where nothing is held, the head does.
    const lost = first ? first.previous > after : after < page.head
    return lost ? { ...page, lost: 'trimmed' } : page
  }

  /**
   * Notes that two positions are neighbours. One that was acknowledged and would lie between them is gone: a replica
   * took over that did not have it. The next script begins a new epoch then.
   */
  saw(epoch: string, previous: number, position: number): void {
    if (epoch !== this.#epoch) {
      this.#epoch = epoch
      this.#newest = position
      this.#told = 0
      this.#acked.clear()
      return
    }
    if (position > this.#newest) this.#newest = position
    for (const acked of this.#acked) if (previous < acked && acked < position) this.#broken = epoch
  }

  /**
   * Notes what a feed tells after `known`.
   *
   * @returns false when this shows that acknowledged entries were lost
   */
  tells(known: number, { epoch, previous, position }: RedisEntry): boolean {
    this.saw(epoch, previous, position)
    // Who was told of that would never hear that it is gone.
    if (previous < known && known < position) this.#broken = epoch
    this.#acked.delete(position)
    this.#told = Math.max(this.#told, position)
    return epoch !== this.#broken
  }

  /**
   * Until when Redis may store an append that is sent now, by its own clock: a client library that sends it again much later
   * would store it twice, for its name is forgotten by then.
   */
  async #deadline(send: Send): Promise<number> {
    if (this.#ahead === undefined) {
      const [seconds, micros] = list(await send(this.keys.stream, ['TIME']))
      this.#ahead = number(seconds) * 1_000 + Math.floor(number(micros) / 1_000) - performance.now()
    }
    return Math.floor(performance.now() + this.#ahead + this.#bounds.dedupeFor / 2)
  }

  #opening(): RedisArgument[] {
    return [newEpoch(), String(this.#newest), this.#epoch, this.#broken]
  }
}

/** An entry of the stream, with the epoch that it was appended in. */
export interface RedisEntry extends Entry {
  readonly previous: number
  readonly epoch: string
}

/** `[id, [e, epoch, p, previous, s, bytes before, c, channel, b, body]]` */
export function entryOf(found: unknown): RedisEntry {
  const [id, fields] = list(found)
  const [, epoch, , previous, , , , channel, , body] = list(fields)
  return {
    position: number(id),
    previous: number(previous),
    epoch: string(epoch),
    channel: string(channel),
    // A copy: what a client library gives may be a slice that keeps a whole chunk of the connection alive.
    body: new Uint8Array(bytes(body)),
  }
}

/** The entries in the reply of XREAD on one stream: a list of pairs, a flat list, a Map or an object, by client and protocol. */
export function entriesOf(reply: unknown): RedisEntry[] {
  if (reply === null || reply === undefined) return []
  let found: unknown
  if (Array.isArray(reply)) found = Array.isArray(reply[0]) ? reply[0][1] : reply[1]
  else found = (reply instanceof Map ? [...reply.values()] : Object.values(reply))[0]
  return list(found).map(entryOf)
}

function foreign(): SluiceError {
  return new SluiceError(
    'SLUICE_BAD_OPTION',
    'Redis answered with something that no bus has stored; give the bus a key that nothing else writes to.',
  )
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw foreign()
  return value
}

function bytes(value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array)) throw foreign()
  return value
}

const string = (value: unknown): string => (typeof value === 'string' ? value : utf8.decode(bytes(value)))

function number(value: unknown): number {
  const parsed = Number.parseInt(string(value), 10)
  if (!Number.isSafeInteger(parsed)) throw foreign()
  return parsed
}

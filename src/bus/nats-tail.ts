// The feed of one listener: a plain subscription to what the stream republishes. It costs the server no consumer; what it
// misses shows as a hole in the positions, and the hub reads that.

import type { Entry, TailListener } from '../core/bus.ts'
import { bounded, pause } from './bounded.ts'
import { guarded } from './guarded.ts'
import type { NatsConnection, NatsMessage, NatsSubscription } from './nats-client.ts'
import type { NatsStream, StreamState } from './nats-stream.ts'
import { channelOf } from './subject-token.ts'

/** How long a feed waits before it tries again, in milliseconds: twice as long each time, up to the most. */
const FIRST_WAIT = 100
const MOST_WAIT = 5_000

/**
 * The server gives positions out in order, but republishes what came over different connections as it comes. An entry that
 * comes too early waits for those before it: so long, in milliseconds, and no more of them, by number and by bytes.
 */
const EARLY = { wait: 50, entries: 256, bytes: 4_194_304 }

export interface NatsTailOptions {
  readonly connection: NatsConnection
  readonly stream: NatsStream
  /** What the live subjects begin with, with the dot. */
  readonly prefix: string
  readonly timeout: number
  readonly listener: TailListener
}

export class NatsTail {
  readonly #options: NatsTailOptions
  readonly #ending = new AbortController()
  #subscription: NatsSubscription | undefined
  /** Counts the attempts to go live: what an older one finds out is void. */
  #attempt = 0
  /** Whether entries are passed on. Until then the newest position that came is remembered: `up` tells it. */
  #live = false
  #newest = 0
  #epoch = ''
  readonly #early = new Map<number, Entry>()
  #earlyBytes = 0
  #earlyTimer: ReturnType<typeof setTimeout> | undefined
  /** Whether the stream is asked if it is still the same: until then all that comes is too early. */
  #asking = false
  /** The server does not let us subscribe: it says so before it answers the ping. */
  #refusal: unknown

  constructor(options: NatsTailOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const attempt = ++this.#attempt
    try {
      this.#up(attempt, await this.#learn())
    } catch (error) {
      this.close(error)
      throw error
    }
  }

  /** The connection has gone; the client library is bringing it back, with its subscriptions. */
  broken(cause: unknown): void {
    this.#attempt++
    this.#forget()
    if (!this.#live) return
    this.#live = false
    guarded(() => this.#options.listener.down(cause))
  }

  /** The connection is back, or something about the stream has changed. */
  async again(): Promise<void> {
    const attempt = ++this.#attempt
    for (let wait = FIRST_WAIT; attempt === this.#attempt; wait = Math.min(2 * wait, MOST_WAIT)) {
      try {
        this.#up(attempt, await this.#learn())
        return
      } catch {
        // `down` has been told; reads meet the same error and tell it to whoever asked.
        await pause(wait * (0.5 + Math.random() / 2), this.#ending.signal)
      }
    }
  }

  /** The stream is in another life, as somebody has found out. */
  epochIs(epoch: string): void {
    if (!this.#live || epoch === this.#epoch) return
    this.broken(new Error('The NATS stream has been made anew, or has lost entries.'))
    void this.again()
  }

  close(reason?: unknown): void {
    this.#attempt++
    this.#live = false
    this.#forget()
    this.#ending.abort(reason)
    this.#subscription?.unsubscribe()
    this.#subscription = undefined
  }

  /** The server has our subscription once it has answered a ping; its figures are asked for after that. */
  async #learn(): Promise<StreamState> {
    const { connection, stream, prefix, timeout } = this.#options
    const { signal } = this.#ending
    this.#newest = 0
    this.#refusal = undefined
    this.#subscription ??= connection.subscribe(`${prefix}*`, {
      callback: (error, message) => {
        if (error) this.#refused(error)
        else this.#message(message)
      },
    })
    await bounded(connection.flush(), 'Subscribing to the NATS stream', timeout, signal)
    if (this.#refusal !== undefined) throw this.#refusal
    return stream.state(signal)
  }

  #up(attempt: number, { epoch, head }: StreamState): void {
    if (attempt !== this.#attempt) return
    // An entry that came between the server's answer and now has not been passed on: the hub reads up to the head.
    const state = { epoch, head: Math.max(head, this.#newest) }
    this.#live = true
    this.#epoch = epoch
    this.#newest = state.head
    guarded(() => this.#options.listener.up(state))
  }

  /** The client has ended the subscription; the next attempt makes another. */
  #refused(error: unknown): void {
    this.#subscription = undefined
    this.#refusal = error
    if (!this.#live) return
    this.broken(error)
    void this.again()
  }

  #message(message: NatsMessage): void {
    const position = Number(message.headers?.get('Nats-Sequence'))
    if (!Number.isSafeInteger(position) || position < 1) return // not the stream's: anybody may publish there
    if (!this.#live) {
      this.#newest = Math.max(this.#newest, position)
      return
    }
    if (position <= this.#newest) {
      // Late for `up`, whose head tells of it; or republished once more by a new leader; or the stream was made anew:
      // then the answer calls `epochIs`, and what follows waits for it.
      this.#ask()
      return
    }
    this.#options.stream.saw(position)
    const entry = entryOf(position, message.subject.slice(this.#options.prefix.length), message.data)
    if (position === this.#newest + 1 && !this.#asking) {
      this.#tell(entry)
      for (let next = this.#take(); next; next = this.#take()) this.#tell(next)
      if (this.#early.size === 0) this.#forget()
      return
    }
    this.#early.set(position, entry)
    this.#earlyBytes += entry.body.length
    if (this.#early.size > EARLY.entries || this.#earlyBytes > EARLY.bytes) this.#giveUp()
    else this.#earlyTimer ??= setTimeout(() => this.#giveUp(), EARLY.wait)
  }

  #ask(): void {
    if (this.#asking) return
    const attempt = this.#attempt
    const answered = (): void => {
      if (attempt === this.#attempt) this.#giveUp()
    }
    this.#asking = true
    this.#options.stream.state(this.#ending.signal).then(answered, answered)
  }

  #tell(entry: Entry): void {
    this.#newest = entry.position
    guarded(() => this.#options.listener.entry(entry))
  }

  /** The entry that comes next, if it came too early. */
  #take(): Entry | undefined {
    const next = this.#early.get(this.#newest + 1)
    if (!next) return undefined
    this.#early.delete(next.position)
    this.#earlyBytes -= next.body.length
    return next
  }

  /** What is missing does not come, or nobody doubts any more: a hole is the hub's to see, and to fill by reading. */
  #giveUp(): void {
    const entries = [...this.#early.values()].sort((one, two) => one.position - two.position)
    this.#forget()
    const attempt = this.#attempt
    for (const entry of entries) if (attempt === this.#attempt) this.#tell(entry)
  }

  #forget(): void {
    this.#asking = false
    clearTimeout(this.#earlyTimer)
    this.#earlyTimer = undefined
    this.#early.clear()
    this.#earlyBytes = 0
  }
}

/**
 * Sequence numbers are given to stored messages only, so the one before an entry was an entry, too, and is one still
 * unless it was trimmed. The body is copied: the client's is a view of all that came in one read from the socket.
 */
export function entryOf(position: number, token: string, body: Uint8Array): Entry {
  return { position, previous: position - 1, channel: channelOf(token), body: new Uint8Array(body) }
}

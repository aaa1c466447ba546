// Who is connected, across nodes: each says now and then what it has, in a place that forgets by itself what is not repeated.

import { checkFunction, checkMilliseconds, checkOptions } from '../core/check.ts'
import type { Hub } from '../core/hub.ts'
import { bounded } from './bounded.ts'
import { guarded } from './guarded.ts'

/** How many connections each key has in one channel of one node. Connections without a key count under `''`. */
export type KeyCounts = Readonly<Record<string, number>>

/**
 * Where nodes leave what they have. `redisPresence` and `natsPresence` are some; others may follow.
 *
 * An implementation **must** forget by itself what a node has left `ttl` milliseconds ago and not repeated since.
 */
export interface PresenceStore {
  /** Leaves what `node` has in these channels, in place of what it left there before. An empty one is taken away. */
  put(node: string, channels: ReadonlyMap<string, KeyCounts>, ttl: number): Promise<void>
  /** What each node has left for a channel. */
  list(channel: string): Promise<ReadonlyMap<string, KeyCounts>>
}

export interface PresenceOptions {
  /** Where the nodes leave what they have. Default: nowhere, which is presence within this process. */
  readonly store?: PresenceStore
  /** How long what a node left counts, in milliseconds: so long is a node that was killed still there. It is repeated three times as often. Default 30_000. */
  readonly ttl?: number
  /** Called with what the store says when it fails; it is tried again. Default: nobody is told. */
  readonly onError?: (error: unknown) => void
}

/** Who reads a channel now. */
export interface Present {
  readonly connections: number
  /** The keys of the connections that have one: `connect`'s option `key`, or the address. In no order. */
  readonly keys: string[]
  /** Nodes that have any of them. */
  readonly nodes: number
}

export interface Presence {
  /** Rejects with what the store says when it cannot be asked. */
  of(channel: string): Promise<Present>
  /** Takes away what this node has left, as far as the store answers within two seconds, and stops. Close it before the store's client. */
  close(): Promise<void>
}

/** Openings and closings within this time are told together. */
const GATHER = 100
const CLOSING = 2_000

/**
 * Who is connected to a channel, and how many: of this hub, or of all nodes that share a store.
 *
 *     const present = presence(hub, { store: redisPresence({ client, key: 'app' }) })
 *     await present.of('room:7')    // { connections: 12, keys: ['ada', 'bob', …], nodes: 3 }
 *
 * Opening and closing is known everywhere within a moment, `subscribe` and `unsubscribe` within a third of `ttl`. Each round looks
 * at all connections of the hub, and none begins before the one before it has ended.
 *
 * @throws {SluiceError} SLUICE_BAD_OPTION
 */
export function presence(hub: Pick<Hub, 'connections' | 'on'>, options: PresenceOptions = {}): Presence {
  const {
    store,
    ttl = 30_000,
    onError = () => {},
  } = checkOptions('presence', options, ['store', 'ttl', 'onError'])
  checkFunction('onError', onError)
  return new NodePresence(hub, store, checkMilliseconds('ttl', ttl, 300, false), onError)
}

class NodePresence implements Presence {
  readonly #hub: Pick<Hub, 'connections' | 'on'>
  readonly #store: PresenceStore | undefined
  readonly #ttl: number
  readonly #node = crypto.randomUUID()
  readonly #unlisten: (() => void)[] = []
  #timer: ReturnType<typeof setTimeout> | undefined
  #due = 0
  /** Channels of which something was left. */
  #told = new Set<string>()
  #telling: Promise<void> = Promise.resolve()
  /** A round is under way; and something has changed since it began. */
  #busy = false
  #again = false
  #closed = false
  readonly #onError: (error: unknown) => void

  constructor(
    hub: Pick<Hub, 'connections' | 'on'>,
    store: PresenceStore | undefined,
    ttl: number,
    onError: (error: unknown) => void,
  ) {
    this.#hub = hub
    this.#store = store
    this.#ttl = ttl
    this.#onError = onError
    if (!store) return
    const changed = (): void => this.#in(GATHER)
    this.#unlisten.push(hub.on('open', changed), hub.on('close', changed))
    this.#in(0)
  }

  async of(channel: string): Promise<Present> {
    const nodes = new Map(await this.#store?.list(channel))
    // Of this node it is known better.
    const own = this.#counts().get(channel)
    if (own) nodes.set(this.#node, own)
    else nodes.delete(this.#node)
    const keys = new Set<string>()
    let connections = 0
    for (const counts of nodes.values()) {
      for (const [key, count] of Object.entries(counts)) {
        connections += count
        if (key !== '') keys.add(key)
      }
    }
    return { connections, keys: [...keys], nodes: nodes.size }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#timer)
    for (const unlisten of this.#unlisten) unlisten()
    const leave = async (): Promise<void> => {
      await this.#telling
      const gone = new Map([...this.#told].map((channel) => [channel, {}]))
      if (gone.size > 0) await this.#store?.put(this.#node, gone, this.#ttl)
    }
    // What cannot be taken away expires; a client library may wait for its server for ever.
    await bounded(leave(), 'Leaving', CLOSING).catch(() => {})
  }

  #counts(): Map<string, KeyCounts> {
    const channels = new Map<string, Record<string, number>>()
    for (const { key = '', channels: names, state } of this.#hub.connections()) {
      if (state === 'closed') continue
      for (const name of names) {
        // Without a prototype: a key may be called "constructor".
        const counts = channels.get(name) ?? (Object.create(null) as Record<string, number>)
        counts[key] = (counts[key] ?? 0) + 1
        channels.set(name, counts)
      }
    }
    return channels
  }

  /** The next round at the latest in so many milliseconds. */
  #in(ms: number): void {
    this.#again = true
    const due = performance.now() + ms
    // Those who come and go all the time must not put the round off for ever.
    if (this.#busy || (this.#timer !== undefined && this.#due <= due)) return
    clearTimeout(this.#timer)
    this.#due = due
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#telling = this.#tell()
    }, ms)
    const timer: unknown = this.#timer
    if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function')
      timer.unref()
  }

  async #tell(): Promise<void> {
    if (this.#closed) return
    this.#busy = true
    this.#again = false
    const counts = this.#counts()
    const left = new Map<string, KeyCounts>(counts)
    for (const channel of this.#told) if (!left.has(channel)) left.set(channel, {})
    try {
      await this.#store?.put(this.#node, left, this.#ttl)
      this.#told = new Set(counts.keys())
    } catch (error) {
      // What was left is still there for a while; the next round tells all of it again.
      for (const channel of counts.keys()) this.#told.add(channel)
      guarded(() => this.#onError(error))
    }
    this.#busy = false
    if (!this.#closed) this.#in(this.#again ? GATHER : this.#ttl / 3)
  }
}

/** What a store keeps is somebody else's bytes until it was looked at. */
export function countsOf(text: string): KeyCounts | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const counts = Object.entries(value).filter(
    (one): one is [string, number] => Number.isSafeInteger(one[1]) && one[1] > 0,
  )
  return counts.length > 0 ? Object.fromEntries(counts) : undefined
}

// The bus over Redis or Valkey: one stream is the log, the server's clock in microseconds numbers the positions.

import type { AppendOptions, Bus, Page, TailListener } from '../core/bus.ts'
import { checkInteger, checkMilliseconds, checkOptions } from '../core/check.ts'
import { SluiceError, shown } from '../core/errors.ts'
import { bounded, Tie } from './bounded.ts'
import { portOf, type RedisClient, type RedisPort } from './redis-client.ts'
import { logKeys, RedisLog } from './redis-log.ts'
import { RedisTail } from './redis-tail.ts'

export type {
  IoredisClient,
  NodeRedisClient,
  NodeRedisCluster,
  RedisArgument,
  RedisClient,
} from './redis-client.ts'

export interface RedisBusOptions {
  /**
   * A client of ioredis, iovalkey or redis (node-redis), or a cluster client of one of them, connected or about to be. It
   * sends what `append` and `read` ask; each tail makes a connection of its own by `duplicate()`. It stays open when the bus closes.
   */
  readonly client: RedisClient
  /**
   * The name of the log, 1 to 256 characters; all processes of one hub name the same. The keys are `{key}:log`,
   * `{key}:meta` and `{key}:once:…`; a key that holds a hash tag of its own, `app:{eu}:news`, is not wrapped in another.
   */
  readonly key: string
  /** Entries held, 100_000 by default. Redis trims whole nodes of its stream, so it holds up to some hundred more. */
  readonly maxEvents?: number
  /** Bytes held, of bodies, channel names and 64 for each entry; 64 MiB by default. The newest entry is held however large it is. */
  readonly maxBytes?: number
  /** How long a dedupe name is known, in milliseconds; two minutes by default. What a client library sends again later than half of that is not stored. */
  readonly dedupeFor?: number
  /** How long the bus waits for one answer of Redis, in milliseconds; 5_000 by default. */
  readonly timeout?: number
  /** How many bytes of bodies a page of `read` holds before it ends; 1 MiB by default. One entry is always read. */
  readonly pageBytes?: number
}

const OPTIONS: readonly (keyof RedisBusOptions)[] = [
  'client',
  'key',
  'maxEvents',
  'maxBytes',
  'dedupeFor',
  'timeout',
  'pageBytes',
]

/** No braces, or one hash tag that is not empty: then all keys of the log have one tag. */
const KEY = /^(?=.{1,256}$)(?:[^{}]+|[^{}]*\{[^{}]+\}[^{}]*)$/su

/**
 * A bus over a stream of Redis 6.2 or newer, or of Valkey.
 *
 * `append` is one Lua script: it takes the position (the server's time in microseconds, or one more than the last), adds
 * the entry with its predecessor, trims, and remembers the dedupe name. A tail is one blocking `XREAD` on its own
 * connection, which is made again whenever it fails; a page of `read` is a script as well, for it ends by bytes.
 *
 * The epoch lies beside the stream and changes when either is missing, and when a process finds that Redis no longer has
 * an entry that it had acknowledged: replication is asynchronous, a failover may lose the newest. Give Redis
 * `maxmemory-policy noeviction`: it would evict the log as a whole.
 *
 * @throws {SluiceError} SLUICE_BAD_OPTION naming the option, the value and the rule.
 */
export function redisBus(options: RedisBusOptions): Bus {
  return new RedisBus(options)
}

class RedisBus implements Bus {
  readonly name = 'redis'
  readonly #port: RedisPort
  readonly #log: RedisLog
  readonly #timeout: number
  readonly #pageBytes: number
  readonly #tails = new Set<RedisTail>()
  readonly #closing = new Tie()

  constructor(options: RedisBusOptions) {
    const given = checkOptions('redisBus', options, OPTIONS)
    this.#port = portOf(given.client)
    if (typeof given.key !== 'string' || !KEY.test(given.key)) {
      throw new SluiceError(
        'SLUICE_BAD_OPTION',
        `key is ${shown(given.key)}; it must be a string of 1 to 256 characters without braces, or with one hash tag in braces.`,
      )
    }
    this.#log = new RedisLog(logKeys(given.key), {
      maxEvents: checkInteger('maxEvents', given.maxEvents ?? 100_000, 1),
      maxBytes: checkInteger('maxBytes', given.maxBytes ?? 67_108_864, 1),
      dedupeFor: checkInteger('dedupeFor', given.dedupeFor ?? 120_000, 1_000),
    })
    this.#timeout = checkMilliseconds('timeout', given.timeout ?? 5_000, 1, false)
    this.#pageBytes = checkInteger('pageBytes', given.pageBytes ?? 1_048_576, 1)
  }

  async append(channel: string, body: Uint8Array, { dedupe, signal }: AppendOptions = {}): Promise<number> {
    this.#check(signal)
    // Client libraries send a command again whose reply was lost: each append has a name, if only for that.
    const name = dedupe ?? crypto.randomUUID()
    const work = this.#log.append(this.#port.send, channel, body, name)
    return bounded(work, 'Appending to Redis', this.#timeout, signal, this.#closing)
  }

  async read(
    after: number,
    limit: number,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<Page> {
    this.#check(signal)
    const work = this.#log.read(this.#port.send, after, limit, this.#pageBytes)
    const page = await bounded(work, 'Reading from Redis', this.#timeout, signal, this.#closing)
    const { entries, head, epoch, lost } = page
    return lost ? { entries, head, epoch, lost } : { entries, head, epoch }
  }

  async tail(listener: TailListener): Promise<{ close(): Promise<void> }> {
    this.#check(undefined)
    const tail = new RedisTail({
      port: this.#port,
      log: this.#log,
      listener,
      timeout: this.#timeout,
      pageBytes: this.#pageBytes,
    })
    this.#tails.add(tail)
    try {
      await tail.start()
    } catch (error) {
      this.#tails.delete(tail)
      throw error
    }
    return {
      close: async () => {
        this.#tails.delete(tail)
        await tail.close(closed())
      },
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(closed())
    const tails = [...this.#tails]
    this.#tails.clear()
    await Promise.all(tails.map((tail) => tail.close(closed())))
  }

  #check(signal: AbortSignal | undefined): void {
    if (this.#closing.aborted) throw closed()
    signal?.throwIfAborted()
  }
}

function closed(): SluiceError {
  return new SluiceError('SLUICE_HUB_CLOSED', 'The Redis bus is closed.')
}

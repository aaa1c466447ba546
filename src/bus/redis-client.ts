// The client libraries of Redis and Valkey, told apart by their structure: what a bus needs of them, and nothing more.

import { SluiceError, shown } from '../core/errors.ts'

/** One argument of a command; strings go out as UTF-8. */
export type RedisArgument = string | Buffer

/** The shape of ioredis 5 and 6 and of iovalkey: a client, or a cluster of either. */
export interface IoredisClient {
  call(command: string, ...args: RedisArgument[]): Promise<unknown>
  callBuffer(command: string, ...args: RedisArgument[]): Promise<unknown>
  duplicate(override?: object, clusterOptions?: object): unknown
  readonly isCluster?: boolean
}

/** The shape of a client of `redis` (node-redis) 4, 5 and 6. */
export interface NodeRedisClient {
  sendCommand(args: RedisArgument[], options?: object): Promise<unknown>
  duplicate(overrides?: object): unknown
  readonly options?: object | undefined
}

/** The shape of `createCluster` of `redis` (node-redis) 4, 5 and 6. */
export interface NodeRedisCluster {
  sendCommand(
    firstKey: RedisArgument | undefined,
    isReadonly: boolean | undefined,
    args: RedisArgument[],
    options?: object,
  ): Promise<unknown>
  duplicate(overrides?: object): unknown
  readonly masters: unknown
}

/** The shape of `createSentinel` of `redis` (node-redis) 5 and 6. */
export interface NodeRedisSentinel {
  sendCommand(isReadonly: boolean | undefined, args: RedisArgument[], options?: object): Promise<unknown>
  duplicate(overrides?: object): unknown
  getSentinelNode(): unknown
}

export type RedisClient = IoredisClient | NodeRedisClient | NodeRedisCluster | NodeRedisSentinel

/** Sends a command that concerns one key, and gives its reply with strings as bytes. */
export type Send = (key: string, args: RedisArgument[]) => Promise<unknown>

/** A connection of the bus's own. It never reconnects by itself: whoever uses it makes another. */
export interface OwnConnection {
  readonly send: Send
  connect(): Promise<unknown>
  /** Ends it at once, whatever its state; what is under way rejects. */
  end(): void
}

export interface RedisPort {
  readonly send: Send
  another(): OwnConnection
}

/** What a duplicate of any of them has besides sending. */
interface Duplicate {
  connect(): Promise<unknown>
  on(event: string, listener: () => void): unknown
  disconnect?(): unknown
  destroy?(): unknown
}

/** @throws {SluiceError} SLUICE_BAD_OPTION when it is none of the known shapes. */
export function portOf(client: RedisClient): RedisPort {
  if (typeof client === 'object' && client !== null && typeof client.duplicate === 'function') {
    if ('call' in client && typeof client.call === 'function') return ioredis(client)
    if ('sendCommand' in client && typeof client.sendCommand === 'function') {
      if ('masters' in client) return nodeRedisCluster(client)
      return 'getSentinelNode' in client ? nodeRedisSentinel(client) : nodeRedis(client)
    }
  }
  throw new SluiceError(
    'SLUICE_BAD_OPTION',
    `client is ${shown(client)}; it must be a client, cluster or Sentinel client of ioredis, iovalkey or redis (node-redis).`,
  )
}

/**
 * An own connection must wait in a blocking command longer than an application waits for its answers, must not resend by
 * itself, and must fail at once rather than hide that it has failed.
 */
const IOREDIS_OWN = {
  lazyConnect: true,
  enableOfflineQueue: true,
  autoResendUnfulfilledCommands: false,
  enableAutoPipelining: false,
  maxRetriesPerRequest: null,
  retryStrategy: () => null,
  reconnectOnError: null,
  commandTimeout: undefined,
  blockingTimeout: undefined,
  socketTimeout: undefined,
}

function ioredis(client: IoredisClient): RedisPort {
  const sender =
    (to: IoredisClient): Send =>
    (_, [name = '', ...args]) => {
      // With enableAutoPipelining, callBuffer loses the command's name (seen in ioredis 6.0); the commands' own methods,
      // which the types do not show, keep it.
      const methods = to as unknown as Partial<Record<string, IoredisClient['callBuffer']>>
      const method = methods[`${String(name).toLowerCase()}Buffer`]
      if (method) return method.apply(to, args as [string, ...RedisArgument[]]) // no command here is without arguments
      return to.callBuffer(String(name), ...args)
    }
  return {
    send: sender(client),
    another() {
      // A cluster is found again from its first nodes, and asked for what its masters hold.
      const made = client.isCluster
        ? client.duplicate([], {
            lazyConnect: true,
            enableOfflineQueue: true,
            clusterRetryStrategy: () => null,
            scaleReads: 'master',
            redisOptions: { ...redisOptionsOf(client), ...IOREDIS_OWN, retryStrategy: undefined },
          })
        : client.duplicate(IOREDIS_OWN)
      return own(made as Duplicate, sender(made as IoredisClient)) // a duplicate is of its original's kind
    },
  }
}

function redisOptionsOf(cluster: IoredisClient): object {
  const { options } = cluster as { options?: { redisOptions?: object } } // read only if there
  return options?.redisOptions ?? {}
}

/** Strings as bytes, however this version wants to be asked: version 4 by the first, 5 and later by the second ('$', '%'). */
const AS_BYTES = { returnBuffers: true, typeMapping: { 36: Buffer, 37: Array } }

/** A blocking command takes as long as it takes. */
const OWN_COMMANDS = { ...AS_BYTES, timeout: undefined }

function nodeRedis(client: NodeRedisClient): RedisPort {
  const sender =
    (to: NodeRedisClient, options: object): Send =>
    (_, args) =>
      to.sendCommand(args, options)
  return {
    send: sender(client, AS_BYTES),
    another() {
      const { socket } = (client.options ?? {}) as { socket?: object } // read only if there
      const made = client.duplicate({ socket: { ...socket, ...OWN_SOCKET }, disableOfflineQueue: false })
      return own(made as Duplicate, sender(made as NodeRedisClient, OWN_COMMANDS)) // as above
    },
  }
}

const OWN_SOCKET = { reconnectStrategy: false, socketTimeout: undefined }

function nodeRedisCluster(cluster: NodeRedisCluster): RedisPort {
  const sender =
    (to: NodeRedisCluster, options: object): Send =>
    (key, args) =>
      to.sendCommand(key, false, args, options)
  return {
    send: sender(cluster, AS_BYTES),
    another() {
      // Its nodes keep the application's way of reconnecting; what is under way on a lost one rejects all the same.
      const made = cluster.duplicate()
      return own(made as Duplicate, sender(made as NodeRedisCluster, OWN_COMMANDS)) // as above
    },
  }
}

function nodeRedisSentinel(sentinel: NodeRedisSentinel): RedisPort {
  const sender =
    (to: NodeRedisSentinel, options: object): Send =>
    (_, args) =>
      to.sendCommand(false, args, options)
  return {
    send: sender(sentinel, AS_BYTES),
    another() {
      // It goes to the next master by itself; the log is compared with what was told when entries come again.
      const made = sentinel.duplicate()
      return own(made as Duplicate, sender(made as NodeRedisSentinel, OWN_COMMANDS)) // as above
    },
  }
}

function own(made: Duplicate, send: Send): OwnConnection {
  // What goes wrong rejects the command under way; an event without a listener would end the process.
  for (const event of ['error', 'node-error']) made.on(event, () => {})
  const end = () => {
    try {
      const ending = made.destroy ? made.destroy() : made.disconnect?.()
      if (ending instanceof Promise) ending.catch(() => {})
    } catch {
      // It was not open.
    }
  }
  let ended = false
  return {
    send,
    async connect() {
      try {
        await made.connect()
      } catch (cause) {
        end()
        throw cause
      }
      // Not every client gives up a connection that is ended while it is made.
      if (ended) end()
    },
    end() {
      ended = true
      end()
    },
  }
}

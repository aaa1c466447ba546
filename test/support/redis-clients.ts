// The clients of Redis that a bus works with, made as applications make them, and ended as they end them.

import type { TestContext } from 'node:test'
import { Redis as Ioredis, Cluster as IoredisCluster } from 'ioredis'
import { Redis as Iovalkey } from 'iovalkey'
import { createClient, createCluster, createSentinel } from 'redis'
import { type RedisBusOptions, type RedisClient, redisBus } from '../../src/bus/redis.ts'
import type { Bus } from '../../src/core/bus.ts'

export interface Made {
  readonly client: RedisClient
  ping(): Promise<unknown>
  end(): void
}

export type Maker = (port: number) => Promise<Made>

const host = '127.0.0.1'
/** Back soon after trouble, whatever the library's defaults. */
const soon = () => 50

export const CLIENTS: Readonly<Record<string, Maker>> = {
  async ioredis(port) {
    const client = new Ioredis({ port, host, retryStrategy: soon })
    client.on('error', () => {})
    return { client, ping: () => client.ping(), end: () => client.disconnect() }
  },
  async iovalkey(port) {
    const client = new Iovalkey({ port, host, retryStrategy: soon })
    client.on('error', () => {})
    return { client, ping: () => client.ping(), end: () => client.disconnect() }
  },
  async 'node-redis'(port) {
    const client = createClient({ socket: { port, host, reconnectStrategy: soon } })
    client.on('error', () => {})
    await client.connect()
    return { client, ping: () => client.ping(), end: () => client.destroy() }
  },
}

export const CLUSTER_CLIENTS: Readonly<Record<string, Maker>> = {
  async 'ioredis Cluster'(port) {
    const client = new IoredisCluster([{ port, host }])
    client.on('error', () => {})
    return { client, ping: () => client.ping(), end: () => client.disconnect() }
  },
  async 'node-redis createCluster'(port) {
    const client = createCluster({ rootNodes: [{ socket: { port, host } }] })
    client.on('error', () => {})
    await client.connect()
    return { client, ping: () => client.get('x'), end: () => client.destroy() }
  },
}

/** They take the port of a Sentinel that watches over `mymaster`. */
export const SENTINEL_CLIENTS: Readonly<Record<string, Maker>> = {
  async 'ioredis over Sentinel'(port) {
    const client = new Ioredis({ sentinels: [{ port, host }], name: 'mymaster' })
    client.on('error', () => {})
    return { client, ping: () => client.ping(), end: () => client.disconnect() }
  },
  async 'node-redis createSentinel'(port) {
    const client = createSentinel({ name: 'mymaster', sentinelRootNodes: [{ port, host }] })
    client.on('error', () => {})
    await client.connect()
    return { client, ping: () => client.set('x', 'y'), end: () => void client.destroy() }
  },
}

/** The same libraries, set up in ways that would end a feed if its connection took them over. */
export const UNUSUAL: Readonly<Record<string, Maker>> = {
  async 'ioredis with RESP3, prefix and short timeouts'(port) {
    const client = new Ioredis({
      port,
      host,
      protocol: 3,
      keyPrefix: 'app:',
      commandTimeout: 400,
      socketTimeout: 400,
      enableAutoPipelining: true,
      maxRetriesPerRequest: 0,
    })
    client.on('error', () => {})
    return { client, ping: () => client.ping(), end: () => client.disconnect() }
  },
  async 'ioredis without offline queue'(port) {
    const client = new Ioredis({ port, host, enableOfflineQueue: false, lazyConnect: true })
    client.on('error', () => {})
    await client.connect()
    return { client, ping: () => client.ping(), end: () => client.disconnect() }
  },
  async 'node-redis with RESP2, a URL and short timeouts'(port) {
    const client = createClient({
      url: `redis://${host}:${port}`,
      RESP: 2,
      disableOfflineQueue: true,
      socket: { socketTimeout: 400 },
      commandOptions: { timeout: 400 },
      pingInterval: 100,
    })
    client.on('error', () => {})
    await client.connect()
    return { client, ping: () => client.ping(), end: () => client.destroy() }
  },
}

/** A bus with a client of its own; both go with the test. */
export async function busOf(
  t: Pick<TestContext, 'after'>,
  make: Maker,
  port: number,
  options: Partial<RedisBusOptions> = {},
): Promise<Bus> {
  const { client, end } = await make(port)
  const bus = redisBus({ client, key: 'log', timeout: 3_000, ...options })
  t.after(async () => {
    await bus.close()
    end()
  })
  return bus
}

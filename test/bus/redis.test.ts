import { after, before } from 'node:test'
import { Redis as Ioredis } from 'ioredis'
import { Redis as Iovalkey } from 'iovalkey'
import { createClient } from 'redis'
import { type RedisClient, redisBus } from '../../src/bus/redis.ts'
import { need } from '../support/need.ts'
import { type RedisServer, redis, redisServer } from '../support/redis.ts'
import { busContract } from './contract.ts'

const needed = need('redis-server', redisServer)

/** A client as an application makes it, and how it ends it. */
interface Made {
  readonly client: RedisClient
  ping(): Promise<unknown>
  end(): void
}

const MAKERS: Readonly<Record<string, (port: number) => Promise<Made>>> = {
  async ioredis(port) {
    const client = new Ioredis({ port, host: '127.0.0.1' })
    client.on('error', () => {})
    return { client, ping: () => client.ping(), end: () => client.disconnect() }
  },
  async iovalkey(port) {
    const client = new Iovalkey({ port, host: '127.0.0.1' })
    client.on('error', () => {})
    return { client, ping: () => client.ping(), end: () => client.disconnect() }
  },
  async 'node-redis'(port) {
    const client = createClient({ socket: { port, host: '127.0.0.1' } })
    client.on('error', () => {})
    await client.connect()
    return { client, ping: () => client.ping(), end: () => client.destroy() }
  },
}

let server: RedisServer
before(async () => {
  if (!needed.skip) server = await redis()
})
after(() => server?.close())

for (const [name, make] of Object.entries(MAKERS)) {
  let logs = 0
  busContract(
    `redis through ${name}`,
    async () => {
      const key = `${name}-${++logs}`
      const made: Made[] = []
      return {
        async bus() {
          const one = await make(server.port)
          made.push(one)
          return redisBus({ client: one.client, key })
        },
        trim: async (keep) => void (await server.control.xtrim(`{${key}}:log`, 'MAXLEN', keep)),
        async hang() {
          server.freeze(true)
          return () => server.freeze(false)
        },
        usable: async () => void (await Promise.all(made.map((one) => one.ping()))),
        async close() {
          for (const one of made) one.end()
        },
      }
    },
    needed,
  )
}

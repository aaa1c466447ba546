// Presence in Redis: one key per channel and node, which expires, and one set per channel of the nodes that have any.

import { checkOptions } from '../core/check.ts'
import { SluiceError, shown } from '../core/errors.ts'
import { countsOf, type KeyCounts, type PresenceStore } from './presence.ts'
import { portOf, type RedisClient, type Send } from './redis-client.ts'

export interface RedisPresenceOptions {
  /** As `redisBus` takes it; it may be the same. */
  readonly client: RedisClient
  /** The name that all nodes of one hub share. The keys are `{key:channel}:here` and `{key:channel}:here:node`. */
  readonly key: string
}

/** No UTF-8 has one, and encodeURIComponent throws. */
const LONE_SURROGATE = /\p{Cs}/gu

/** Takes nodes out whose keys have expired; in one step, for one may be leaving what it has at this moment. */
const FORGET = `
for i = 2, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 0 then redis.call('SREM', KEYS[1], ARGV[i - 1]) end
end
return 0
`

/** @throws {SluiceError} SLUICE_BAD_OPTION */
export function redisPresence(options: RedisPresenceOptions): PresenceStore {
  const { client, key } = checkOptions('redisPresence', options, ['client', 'key'])
  if (typeof key !== 'string' || key === '' || /[{}]/.test(key)) {
    throw new SluiceError(
      'SLUICE_BAD_OPTION',
      `key is ${shown(key)}; it must be a string that is not empty, without braces.`,
    )
  }
  return new RedisPresence(portOf(client).send, key)
}

class RedisPresence implements PresenceStore {
  readonly #send: Send
  readonly #key: string

  constructor(send: Send, key: string) {
    this.#send = send
    this.#key = key
  }

  async put(node: string, channels: ReadonlyMap<string, KeyCounts>, ttl: number): Promise<void> {
    // One after the other would take a round trip each; all of them go out in one.
    await Promise.all(
      [...channels].map(async ([channel, counts]) => {
        const nodes = this.#nodes(channel)
        const own = `${nodes}:${node}`
        const live = String(Math.ceil(ttl))
        if (Object.keys(counts).length === 0) {
          await this.#send(own, ['DEL', own])
          await this.#send(nodes, ['SREM', nodes, node])
          return
        }
        await this.#send(own, ['SET', own, JSON.stringify(counts), 'PX', live])
        await this.#send(nodes, ['SADD', nodes, node])
        // Nobody takes away what the last node of a channel left when it was killed.
        await this.#send(nodes, ['PEXPIRE', nodes, String(Math.ceil(ttl) * 2)])
      }),
    )
  }

  async list(channel: string): Promise<ReadonlyMap<string, KeyCounts>> {
    const nodes = this.#nodes(channel)
    const names = textsOf(await this.#send(nodes, ['SMEMBERS', nodes]))
    const found = new Map<string, KeyCounts>()
    if (names.length === 0) return found
    const own = names.map((name) => `${nodes}:${name ?? ''}`)
    const texts = textsOf(await this.#send(nodes, ['MGET', ...own]))
    const gone: string[] = []
    for (const [index, name] of names.entries()) {
      const counts = countsOf(texts[index] ?? '')
      if (counts && name !== undefined) found.set(name, counts)
      else if (name !== undefined) gone.push(name)
    }
    if (gone.length > 0) {
      const keys = [nodes, ...gone.map((name) => `${nodes}:${name}`)]
      await this.#send(nodes, ['EVAL', FORGET, String(keys.length), ...keys, ...gone])
    }
    return found
  }

  /** Braces of a channel's name would end the hash tag. */
  #nodes(channel: string): string {
    return `{${this.#key}:${encodeURIComponent(channel.replace(LONE_SURROGATE, '\ufffd'))}}:here`
  }
}

/** Replies are text or bytes, as the client gives them. */
function textsOf(reply: unknown): (string | undefined)[] {
  const list: unknown[] = Array.isArray(reply) ? reply : reply instanceof Set ? [...reply] : []
  return list.map((one) =>
    typeof one === 'string' ? one : one instanceof Uint8Array ? new TextDecoder().decode(one) : undefined,
  )
}

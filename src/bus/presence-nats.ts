// Presence in a NATS key-value bucket: one key per channel and node. The bucket forgets by its own time to live.

import { checkOptions } from '../core/check.ts'
import { SluiceError } from '../core/errors.ts'
import { countsOf, type KeyCounts, type PresenceStore } from './presence.ts'

/** What is used of a bucket of @nats-io/kv. */
export interface NatsBucket {
  put(key: string, data: string): Promise<unknown>
  get(key: string): Promise<{ readonly operation: string; string(): string } | null>
  keys(filter: string): Promise<AsyncIterable<string>>
  delete(key: string): Promise<unknown>
}

export interface NatsPresenceOptions {
  /** A bucket of its own, made with a `ttl` of as many milliseconds as `presence` has; all nodes of one hub use the same. */
  readonly bucket: NatsBucket
}

/** @throws {SluiceError} SLUICE_BAD_OPTION */
export function natsPresence(options: NatsPresenceOptions): PresenceStore {
  const { bucket } = checkOptions('natsPresence', options, ['bucket'])
  if (typeof bucket !== 'object' || bucket === null || typeof bucket.put !== 'function') {
    throw new SluiceError(
      'SLUICE_BAD_OPTION',
      'bucket must be a bucket of @nats-io/kv: await new Kvm(connection).create(name, { ttl }).',
    )
  }
  return {
    async put(node, channels) {
      await Promise.all(
        [...channels].map(([channel, counts]) => {
          const key = `${tokenOf(channel)}.${node}`
          return Object.keys(counts).length === 0
            ? bucket.delete(key)
            : bucket.put(key, JSON.stringify(counts))
        }),
      )
    },
    async list(channel) {
      const prefix = `${tokenOf(channel)}.`
      const keys: string[] = []
      for await (const key of await bucket.keys(`${prefix}*`)) keys.push(key)
      const found = new Map<string, KeyCounts>()
      await Promise.all(
        keys.map(async (key) => {
          const entry = await bucket.get(key)
          const counts = entry?.operation === 'PUT' ? countsOf(entry.string()) : undefined
          if (counts) found.set(key.slice(prefix.length), counts)
        }),
      )
      return found
    },
  }
}

/** A channel's name in the few characters that a key may have. */
function tokenOf(channel: string): string {
  const bytes = new TextEncoder().encode(channel)
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

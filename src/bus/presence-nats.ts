// Presence in a NATS key-value bucket: one key per channel and node. The bucket forgets by its own time to live.

import { checkOptions } from '../core/check.ts'
import { SluiceError, shown } from '../core/errors.ts'
import { countsOf, type KeyCounts, type PresenceStore } from './presence.ts'

/** What is used of a bucket of @nats-io/kv. */
export interface NatsBucket {
  put(key: string, data: string): Promise<unknown>
  get(key: string): Promise<{ readonly operation: string; string(): string } | null>
  status(): Promise<{ readonly bucket: string }>
  delete(key: string): Promise<unknown>
}

/** What is used of a client of @nats-io/jetstream, as `natsBus` takes it. */
export interface NatsSubjects {
  jetstreamManager(checkApi: boolean): Promise<{
    readonly streams: {
      info(
        stream: string,
        query: { subjects_filter: string },
      ): Promise<{ readonly state: { readonly subjects?: Readonly<Record<string, number>> } }>
    }
  }>
}

export interface NatsPresenceOptions {
  /** A bucket of its own, made with a `ttl` of as many milliseconds as `presence` has; all nodes of one hub use the same. */
  readonly bucket: NatsBucket
  /** Of the same connection. */
  readonly jetstream: NatsSubjects
}

/** @throws {SluiceError} SLUICE_BAD_OPTION */
export function natsPresence(options: NatsPresenceOptions): PresenceStore {
  const { bucket, jetstream } = checkOptions('natsPresence', options, ['bucket', 'jetstream'])
  if (typeof bucket !== 'object' || bucket === null || typeof bucket.put !== 'function') {
    throw new SluiceError(
      'SLUICE_BAD_OPTION',
      'bucket must be a bucket of @nats-io/kv: await new Kvm(connection).create(name, { ttl }).',
    )
  }
  if (typeof jetstream?.jetstreamManager !== 'function') {
    throw new SluiceError(
      'SLUICE_BAD_OPTION',
      `jetstream is ${shown(jetstream)}; it must be jetstream(connection) of @nats-io/jetstream.`,
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
      // Not `bucket.keys`: it has no end where a key is put anew while they are listed, for it waits for the old value.
      const { bucket: name } = await bucket.status()
      const prefix = `$KV.${name}.${tokenOf(channel)}.`
      const { streams } = await jetstream.jetstreamManager(false)
      const { state } = await streams.info(`KV_${name}`, { subjects_filter: `${prefix}*` })
      const found = new Map<string, KeyCounts>()
      await Promise.all(
        Object.keys(state.subjects ?? {}).map(async (subject) => {
          const node = subject.slice(prefix.length)
          const entry = await bucket.get(`${tokenOf(channel)}.${node}`)
          const counts = entry?.operation === 'PUT' ? countsOf(entry.string()) : undefined
          if (counts) found.set(node, counts)
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

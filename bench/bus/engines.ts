// The engines behind the bus scenario: how each is started for it, and how a process gets its end of the bus.

import { jetstream } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { Redis } from 'ioredis'
import { clusterBus, serveBus } from '../../src/bus/cluster.ts'
import { natsBus } from '../../src/bus/nats.ts'
import { redisBus } from '../../src/bus/redis.ts'
import type { Bus } from '../../src/core/bus.ts'
import { nats, natsServer } from '../../test/support/nats.ts'
import { redis, redisServer } from '../../test/support/redis.ts'

export type Engine = 'cluster' | 'redis' | 'nats'
export const ENGINES: readonly Engine[] = ['cluster', 'redis', 'nats']

/** Where an engine is: a port, or a socket. */
export interface Where {
  engine: Engine
  at: string
}

export function installed(engine: Engine): boolean {
  return engine === 'cluster' || Boolean(engine === 'redis' ? redisServer : natsServer)
}

/** Starts one; the returned function ends it. */
export async function startEngine(engine: Engine): Promise<{ where: Where; end: () => Promise<void> }> {
  if (engine === 'cluster') {
    const server = await serveBus({ maxEvents: 200_000 })
    return { where: { engine, at: server.path }, end: () => server.close() }
  }
  const ends: (() => unknown)[] = []
  const t = { after: (end: () => unknown) => void ends.push(end) }
  const end = async (): Promise<void> => {
    for (const one of ends.reverse()) await one()
  }
  if (engine === 'redis') {
    const server = await redis(t)
    return { where: { engine, at: String(server.port) }, end }
  }
  const server = await nats(t as never) // its hooks are functions of no arguments, as these
  return { where: { engine, at: String(server.port) }, end }
}

/** This process's end of the bus, and how to let it go. */
export async function busOf({ engine, at }: Where): Promise<{ bus: Bus; end: () => Promise<void> }> {
  if (engine === 'cluster') {
    const bus = clusterBus({ path: at })
    return { bus, end: () => bus.close() }
  }
  if (engine === 'redis') {
    const client = new Redis({ port: Number(at), host: '127.0.0.1' })
    client.on('error', () => {})
    const bus = redisBus({ client, key: 'bench' })
    return {
      bus,
      end: async () => {
        await bus.close()
        client.disconnect()
      },
    }
  }
  const connection = await connect({ servers: `127.0.0.1:${at}`, maxReconnectAttempts: -1 })
  const bus = natsBus({ connection, jetstream: jetstream(connection), stream: 'BENCH' })
  return {
    bus,
    end: async () => {
      await bus.close()
      await connection.close()
    },
  }
}

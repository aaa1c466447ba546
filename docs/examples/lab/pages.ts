// The open pages: each is told, privately, which connection is its own, and by the token that comes with it can drop it.

import { randomUUID } from 'node:crypto'
import { arch, availableParallelism, platform } from 'node:os'
import type { Connection, Hub } from '../../../src/index.ts'

export interface Pages {
  /** Greets a page that has connected. */
  join(connection: Connection): void
  /** The connection with this token. */
  find(token: unknown): Connection | undefined
}

/** @param more what else a page should know of the lab */
export function createPages(hub: Hub, more: () => object): Pages {
  const pages = new Map<string, Connection>()
  const machine = {
    node: process.version,
    pid: process.pid,
    cpus: availableParallelism(),
    platform: `${platform()} ${arch()}`,
  }
  return {
    join(connection) {
      const token = randomUUID()
      pages.set(token, connection)
      connection.closed.then(() => pages.delete(token))
      // A private send keeps its place among the channels' events: what a page gets before this one was replayed to it,
      // what it gets after is live.
      const { id, lastEventId } = connection
      const data = { connection: id, token, lastEventId, position: hub.position, ...machine, ...more() }
      connection.send({ event: 'hello', data })
    },
    find: (token) => (typeof token === 'string' ? pages.get(token) : undefined),
  }
}

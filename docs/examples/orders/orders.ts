// What each framework's example serves: orders, their changes of status, and who may see them. It stands for your own
// application, so that the examples differ only in what their framework asks for.

import { createHash, timingSafeEqual } from 'node:crypto'
import type { Server } from 'node:http'
import type { Hub } from 'sluice'

/** What an example gives when it has started. */
export interface Example {
  hub: Pick<Hub, 'stats' | 'close' | 'publish' | 'on'>
  server: Server
  /** The framework's own way to close, where it has one: ends the streams, the server, and what plugins have opened. */
  close?: () => Promise<void>
}

/** The site whose pages may read the streams. */
export const SITE = 'https://shop.example'

/** The response headers that a page of another origin may read, besides those that it always may. */
export const EXPOSED = ['Sluice-Resume']

export interface Order {
  order: string
  owner: string
  status: string
}

export class Orders {
  readonly #orders = new Map<string, Order>()

  /** A hundred orders, "1" to "100", of two owners in turn. */
  constructor() {
    for (let n = 1; n <= 100; n += 1) {
      const order = String(n)
      this.#orders.set(order, { order, owner: n % 2 === 1 ? 'ada' : 'bob', status: 'placed' })
    }
  }

  of(owner: string): Order[] {
    return [...this.#orders.values()].filter((one) => one.owner === owner)
  }

  /** The order, if it is there and theirs. */
  find(order: string, owner: string): Order | undefined {
    const found = this.#orders.get(order)
    return found?.owner === owner ? found : undefined
  }
}

const TOKENS = [
  { owner: 'ada', token: digest('token-of-ada') },
  { owner: 'bob', token: digest('token-of-bob') },
]

/**
 * Whose token it is, from an Authorization header; `undefined` for no one's. An `EventSource` sends no such header, but
 * cookies; `sluice/client` sends either.
 */
export function ownerOf(authorization: string | null | undefined): string | undefined {
  const token = /^Bearer (\S+)$/.exec(authorization ?? '')?.[1]
  if (token === undefined) return undefined
  const given = digest(token)
  return TOKENS.find((one) => timingSafeEqual(one.token, given))?.owner
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

// A Sluice server in a process of its own, to be killed, held up, or put at the far end of a cable. It does what its parent
// asks, keeps its own books, and looks for what is left over when it is closed.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Connection, HubOptions, Hub as PublicHub } from '../../../src/index.ts'
import { countTimers, Ledger, leaks, type Snapshot, snapshot } from '../leaks.ts'

countTimers()
const { createHub } = await import('../../../src/index.ts')
const { dataOf } = await import('../events.ts')
const { turn } = await import('../wait.ts')

/** How a connection ended; `at` is on this process's own clock. */
export interface End {
  label: string | undefined
  reason: string
  silence: number
  at: number
}

let hub: PublicHub
let ledger: Ledger
let before: Snapshot
let published = 0
let publishing = false
const ends: End[] = []
const failures: string[] = []
const open = new Set<Connection>()
const server = createServer((req, res) => {
  const url = new URL(req.url ?? '/', 'http://x')
  hub.connect(req, res, {
    channels: [url.searchParams.get('channel') ?? 'events'],
    from: url.searchParams.get('from') ?? 'live',
    label: url.pathname,
  })
})

const publish = (most: number): Promise<string> => {
  published += 1
  return hub.publish('events', { data: dataOf(published, most) })
}

const commands = {
  async listen({ options = {}, host = '127.0.0.1', port = 0 }: ListenOptions) {
    before = await snapshot()
    hub = createHub(options)
    ledger = new Ledger(hub)
    hub.on('error', (error, { during }) => failures.push(`a failure during ${during}: ${String(error)}`))
    hub.on('open', (connection) => open.add(connection))
    hub.on('close', (connection, { reason, silence }) => {
      open.delete(connection)
      ends.push({ label: connection.label, reason, silence, at: performance.now() })
    })
    await new Promise<void>((resolve) => server.listen({ port, host, backlog: 4_096 }, resolve))
    return (server.address() as AddressInfo).port // it listens on TCP
  },
  /** Publishes so many events, each of at most so many bytes, and breathes between some. */
  async publish({ count, most = 0, breathe = 20 }: { count: number; most?: number; breathe?: number }) {
    for (let n = 1; n <= count; n += 1) {
      await publish(most)
      if (n % breathe === 0) await turn()
    }
    return published
  },
  /** Publishes until told to stop. */
  async start({ most, every }: { most: number; every: number }) {
    publishing = true
    void (async () => {
      while (publishing) {
        await publish(most)
        if (every > 0) await new Promise((resolve) => setTimeout(resolve, every))
        else await turn()
      }
    })()
  },
  async stop() {
    publishing = false
    await turn()
    return published
  },
  /** Writes until most have a write on its way, and then does nothing for a while, before it can hear that any was taken. */
  async block({ ms, most }: { ms: number; most: number }) {
    const blocked = (): number => hub.connections().filter(({ state }) => state === 'blocked').length
    const enough = hub.stats().connections / 2
    for (let n = 0; n < 200 && blocked() < enough; n += 1) {
      void publish(most)
      await turn()
    }
    const held = blocked()
    const end = performance.now() + ms
    while (performance.now() < end);
    return held
  },
  async look() {
    const { closes, stalls, connections } = hub.stats()
    return { closes, stalls, connections, published, ends, now: performance.now() }
  },
  /** Bytes held for each connection, without asking how far it lags, which takes long where a million events are kept. */
  async held() {
    return Array.from(open, ({ bufferedBytes }) => bufferedBytes)
  },
  async memory() {
    return snapshot()
  },
  /** Closes everything, and says what does not add up. */
  async close() {
    publishing = false
    await hub.close({ within: 0 })
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    return [...failures, ...ledger.settle(), ...(await leaks(before, 8_000_000))]
  },
}

export type Commands = typeof commands
export interface ListenOptions {
  options?: Omit<HubOptions, 'clock' | 'random' | 'serialize' | 'variants'>
  host?: string
  port?: number
}
export type Order = { [Name in keyof Commands]: { id: number; name: Name; args: unknown } }[keyof Commands]

process.on('message', (order: Order) => {
  const run = commands[order.name] as (args: unknown) => Promise<unknown> // its arguments come from `Remote.call`
  run(order.args).then(
    (result) => process.send?.({ id: order.id, result }),
    (error: unknown) => process.send?.({ id: order.id, error: String(error) }),
  )
})
process.on('disconnect', () => process.exit())
process.send?.('ready')

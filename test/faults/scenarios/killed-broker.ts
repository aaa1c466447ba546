// Nodes over a real Redis that is killed and comes back empty, stopped for a while, and whose connections are cut.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Redis } from 'ioredis'
import { redisBus } from '../../../src/bus/redis.ts'
import { createHub, type Hub } from '../../../src/index.ts'
import { redis, redisServer } from '../../support/redis.ts'
import type { Block } from '../checker.ts'
import { StreamClient } from '../client.ts'
import { dataOf, numberOf } from '../events.ts'
import { Ledger } from '../leaks.ts'
import type { Report, Scenario } from '../scenario.ts'
import { CHANNEL } from '../target.ts'
import { eventually, pause } from '../wait.ts'

/** What one client sees: numbers that rise, and holes only where a gap was told. */
class Watcher {
  last = 0
  lastEventId = ''
  #gap = true
  readonly #report: Report

  /** Numbers that the bus has acknowledged. */
  readonly #stored: ReadonlySet<number>

  constructor(report: Report, stored: ReadonlySet<number>) {
    this.#report = report
    this.#stored = stored
  }

  readonly saw = ({ event, data, id }: Block): void => {
    if (id !== undefined) this.lastEventId = id
    if (data === undefined) return
    if (event === 'gap') {
      this.#gap = true
      this.#report.figures.told += 1
      return
    }
    const n = numberOf(data)
    this.#report.figures.received += 1
    if (n === undefined) this.#report.fail(`a broken event: ${data.slice(0, 60)}`)
    else if (n <= this.last) {
      this.#report.figures.doubled += 1
      this.#report.fail(`got ${n} after ${this.last}`)
    } else {
      // Numbers whose publish failed may never have been stored; of all others a hole must have been told.
      for (let missed = this.last + 1; missed < n && !this.#gap; missed += 1) {
        if (!this.#stored.has(missed)) continue
        this.#report.figures.lost += 1
        this.#report.fail(`got ${n} after ${this.last}, and no word of ${missed}`)
      }
      this.last = n
      this.#gap = false
    }
  }
}

interface Node {
  hub: Hub
  port: number
}

async function node(report: Report, port: number): Promise<Node> {
  const client = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 50, maxRetriesPerRequest: 1 })
  client.on('error', () => {})
  const bus = redisBus({ client, key: 'faults', timeout: 500 })
  const hub = createHub({ bus, busTimeout: 700, heartbeat: 300 })
  const ledger = new Ledger(hub)
  // A bus that is away is what this is about.
  hub.on('error', () => {})
  await hub.ready()
  const server = createServer((req, res) => void hub.connect(req, res, { channels: [CHANNEL] }))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  report.after(async () => {
    await hub.close({ within: 0 })
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await bus.close()
    client.disconnect()
    report.check(ledger.opened === ledger.closed, `${ledger.opened} opened, ${ledger.closed} closed`)
  })
  return { hub, port: (server.address() as AddressInfo).port }
}

export default {
  name: 'killed-broker',
  promises: ['order', 'once', 'patient'],
  attacks:
    'Two nodes over a real Redis that is killed and comes back empty, stopped for a second, and cut off from its clients, while numbered events are published through both.',
  limit: 120,
  missing: () => (redisServer ? undefined : 'redis-server is not installed'),
  async run(_, report) {
    const broker = await redis({ after: (end: () => unknown) => report.after(end) })
    const nodes = [await node(report, broker.port), await node(report, broker.port)]
    const stored = new Set<number>()
    const watchers = Array.from({ length: 20 }, () => new Watcher(report, stored))
    const clients = watchers.map((watcher, n) => {
      const client = new StreamClient({ port: nodes[n % 2]?.port ?? 0, onBlock: watcher.saw })
      report.after(() => client.kill())
      return client
    })
    await eventually(
      () => watchers.every(({ lastEventId }) => lastEventId !== ''),
      'every client to be placed',
    )
    let published = 0
    const publish = async (hub: Hub): Promise<boolean> => {
      const n = published + 1
      published = n
      report.figures.sent += 1
      return hub.publish(CHANNEL, { data: dataOf(n, 200) }).then(
        () => {
          stored.add(n)
          return true
        },
        () => false,
      )
    }
    /** Until one is stored: the bus is back. */
    const persist = async (): Promise<void> => {
      const end = performance.now() + 30_000
      while (!(await publish(report.pick(nodes).hub))) {
        report.check(performance.now() < end, 'the bus never came back')
        if (performance.now() > end) return
        await pause(50)
      }
    }
    const rounds = report.scale(6)
    for (let round = 0; round < rounds; round += 1) {
      for (let n = 0; n < 30; n += 1) await persist()
      report.figures.cases += 1
      report.figures.faults += 1
      const fate = round % 3
      if (fate === 0) {
        await broker.kill()
        await pause(report.between(0, 300))
        await broker.start()
      } else if (fate === 1) {
        broker.freeze(true)
        await pause(report.between(200, 1_200))
        broker.freeze(false)
      } else {
        await broker.control.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes').catch(() => {})
      }
      for (let n = 0; n < 5; n += 1) await persist()
      // What was stored before a node knew of the broker's new life is part of the gap; soon what is stored reaches everybody.
      const end = performance.now() + 20_000
      let reached = false
      while (!reached && performance.now() < end) {
        await persist()
        const newest = published
        const soon = performance.now() + 500
        const all = (): boolean => watchers.every(({ last }) => last >= newest)
        while (!all() && performance.now() < soon) await pause(5)
        reached = all()
      }
      report.check(reached, `after fault ${round + 1} what is stored no longer reaches everybody`)
    }
    report.check(
      clients.every(({ closed }) => !closed),
      'a stream was cut',
    )
    report.note('gaps told to a client', report.figures.told / watchers.length)
  },
} satisfies Scenario

// The clients of one process, by a schedule that does not wait for the server: who is due starts, however slow the
// others are. (A generator that waits for answers before it asks again hides the very delays it is to find.)

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, type Shared } from './client.ts'
import { Figures, type FiguresData } from './figures.ts'
import { Ids } from './ids.ts'
import { parseStamp } from './stamp.ts'

/** One process's part of a run, as the parent gives it. */
export interface Part {
  url: string
  address: string
  headers: Record<string, string | string[]>
  insecure: boolean
  timestamp: string | undefined
  sources: string[]
  /** All the clients of the run; this part has those with `index % of === part`. */
  clients: number
  part: number
  of: number
  slow: number
  /** Milliseconds, and clients a second in all. */
  ramp: number
  churn: number
  fresh: boolean
  /** When to start, in epoch milliseconds, so that all parts do at once. */
  startAt: number
}

/** How things stand, for the line of progress. */
export interface Tick {
  open: number
  events: number
  closes: number
  failures: number
  /** Clients that will do nothing more of their own accord. */
  over: number
}

/** How often who is due is looked for. */
const STEP = 10
/** How long readers that stopped may read at the end, to see which of them were let go. */
const READ_OUT = 2_000
/** What the monitor of the loop's delay sleeps between two looks. It counts into what it shows. */
const RESOLUTION = 10

export class Crowd {
  readonly #part: Part
  readonly #shared: Shared
  readonly #clients: Client[] = []
  readonly #loop = monitorEventLoopDelay({ resolution: RESOLUTION })
  #stepper: NodeJS.Timeout | undefined
  #started = 0
  #churned = 0
  /** By `performance.now()`. */
  #startedAt = 0
  #cpu = process.cpuUsage()

  constructor(part: Part) {
    this.#part = part
    this.#shared = {
      url: new URL(part.url),
      address: part.address,
      headers: part.headers,
      insecure: part.insecure,
      stamp: part.timestamp === undefined ? undefined : parseStamp(part.timestamp),
      figures: new Figures(),
      ids: new Ids(),
      steady: false,
    }
    for (let index = part.part; index < part.clients; index += part.of) {
      // Spread evenly over the arrivals.
      const slow =
        Math.floor(((index + 1) * part.slow) / part.clients) > Math.floor((index * part.slow) / part.clients)
      this.#clients.push(new Client(this.#shared, slow, part.sources[index % part.sources.length]))
    }
  }

  start(): void {
    this.#startedAt = performance.now() + (this.#part.startAt - Date.now())
    this.#stepper = setInterval(() => this.#step(), STEP)
    this.#loop.enable()
    this.#cpu = process.cpuUsage()
  }

  tick(): Tick {
    const { counts, tallies } = this.#shared.figures
    let open = 0
    let over = 0
    for (const { state } of this.#clients) {
      if (state === 'open') open += 1
      if (state === 'over') over += 1
    }
    return { open, over, events: counts.events, closes: sum(tallies.ends), failures: sum(tallies.failures) }
  }

  async stop(): Promise<FiguresData> {
    clearInterval(this.#stepper)
    const { figures, ids } = this.#shared
    const elapsed = performance.now() - this.#startedAt
    const { user, system } = process.cpuUsage(this.#cpu)
    this.#loop.disable()
    this.#shared.steady = false
    figures.steady = Math.max(0, elapsed - this.#part.ramp)
    figures.cpuShare = elapsed > 0 ? (user + system) / 1_000 / elapsed : 0
    figures.loopDelayP99 = Math.max(0, this.#loop.percentile(99) / 1e6 - RESOLUTION)

    for (const client of this.#clients) if (!client.slow) client.stop()
    await this.#readOut()
    for (const client of this.#clients) if (client.slow) client.stop()

    const missed = ids.missed()
    if (!missed) figures.counts.missedUnknown += 1
    figures.counts.missedOpen = missed?.open ?? 0
    figures.counts.missedAway = missed?.away ?? 0
    figures.lives = ids.lives
    return figures.data()
  }

  async #readOut(): Promise<void> {
    const stopped = this.#clients.filter(({ slow, state }) => slow && state === 'open')
    if (stopped.length === 0) return
    for (const client of stopped) client.readOut()
    const end = performance.now() + READ_OUT
    while (performance.now() < end && stopped.some(({ state }) => state === 'open')) await sleep(50)
  }

  #step(): void {
    const { ramp, part, of, clients, churn } = this.#part
    const elapsed = performance.now() - this.#startedAt
    if (elapsed < 0) return
    for (; this.#started < this.#clients.length; this.#started += 1) {
      const index = this.#started * of + part
      if ((index * ramp) / clients > elapsed) break
      this.#clients[this.#started]?.start()
    }
    if (elapsed < ramp) return
    this.#shared.steady = true
    for (; churn > 0; this.#churned += 1) {
      const number = this.#churned * of + part + 1
      if (ramp + (number * 1_000) / churn > elapsed) break
      this.#churn()
    }
  }

  /** Any client that reads; none, when nobody does. */
  #churn(): void {
    const from = Math.floor(Math.random() * this.#clients.length)
    for (let step = 0; step < this.#clients.length; step += 1) {
      const client = this.#clients[(from + step) % this.#clients.length]
      if (client?.state !== 'open' || client.slow) continue
      client.churn(this.#part.fresh)
      return
    }
  }
}

function sum(tally: Record<string, number>): number {
  return Object.values(tally).reduce((total, count) => total + count, 0)
}

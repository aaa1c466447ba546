// A hub's end of a bus: what other processes (and this one) published arrives here, in the order of the bus, each entry
// once. What the engine's feed misses is read afterwards; what the engine no longer has is told as lost.

import { Breaker } from './breaker.ts'
import type { Bus, Entry, Page, Position } from './bus.ts'
import type { Clock } from './clock.ts'
import { withDeadline } from './deadline.ts'
import { SluiceError, shown } from './errors.ts'
import { Tie } from './tie.ts'

/** What a feed tells its hub. */
export interface FeedHost {
  readonly clock: Clock
  readonly random: () => number
  /** The first contact: everything up to `head` is history. */
  feedStarted(epoch: string, head: Position): void
  /** The next entry. Says whether readers have to be walked before more may come. */
  feedEntry(entry: Entry): boolean
  /** Settles once the readers have been walked. */
  feedWalked(): Promise<void>
  /** Entries up to `through` are gone that this hub has not seen. */
  feedLost(through: Position): void
  /** Positions start anew: history was lost. */
  feedRestarted(epoch: string, head: Position): void
  feedChanged(up: boolean, cause: unknown): void
  report(error: unknown, context: { during: 'bus' }): void
}

/** How a hub stands to its bus. */
export interface BusStats {
  /** What it is, as the adapter calls itself. */
  name: string
  /** `starting` before the first contact; `live` while entries arrive; `down` while the feed is broken. */
  state: 'starting' | 'live' | 'down'
  /** Publishes on their way to the bus. */
  appending: number
  /** Publishes that the bus did not take in time, or refused. */
  failed: number
  /** Publishes refused at once, for the bus had not answered several times before. */
  refused: number
  /** Publishes delivered to this process alone (`busFallback: 'local'`). */
  local: number
  /** Times that entries were missing, or might have been, and were read afterwards. */
  repairs: number
  /** Times that the log was read further back for clients that resumed. */
  recalls: number
}

/** Entries of one page. */
export const PAGE = 500
/** What is kept of the feed while the hub reads what it missed; more is left to the next read. */
const MAX_WAITING = 1_000
const MAX_WAITING_BYTES = 4_194_304
/** What may be on its way to the bus at once: an engine that hangs must not fill the memory. */
const MAX_APPENDING_BYTES = 16_777_216
/** A last message that was lost shows no hole: how often the head is asked for. */
const CHECK = 10_000
/** How long an engine has for its goodbye. */
const CLOSING = 2_000
const FIRST_RETRY = 100
const LONGEST_RETRY = 10_000

export class Feed {
  readonly bus: Bus
  readonly stats: BusStats
  readonly #host: FeedHost
  readonly #timeout: number
  readonly #breaker: Breaker
  readonly #over = new Tie()
  #epoch: string | undefined
  #last: Position = 0
  #waiting: Entry[] = []
  #waitingBytes = 0
  /** Some of the feed was let go: what follows the last entry must be read. */
  #overrun = false
  #repairing: Promise<void> | undefined
  #again = false
  #appendingBytes = 0
  #names = 0
  readonly #name: string
  #tail: { close(): Promise<void> } | undefined
  #stopChecking: () => void = () => {}
  #ready: () => void = () => {}
  #refuse: (reason: unknown) => void = () => {}
  /** Called when no publish is under way any more. */
  #idle: () => void = () => {}
  /** Publishes that wait for the first contact. */
  #starting = 0
  readonly #contact: Promise<void>

  /** @param timeout of one call to the bus, in milliseconds */
  constructor(bus: Bus, host: FeedHost, timeout: number) {
    this.bus = bus
    this.#host = host
    this.#timeout = timeout
    this.#breaker = new Breaker(host.clock)
    this.stats = {
      name: bus.name,
      state: 'starting',
      appending: 0,
      failed: 0,
      refused: 0,
      local: 0,
      repairs: 0,
      recalls: 0,
    }
    this.#name = crypto.randomUUID()
    this.#contact = new Promise((resolve, reject) => {
      this.#ready = resolve
      this.#refuse = reject
    })
    this.#contact.catch(() => {})
  }

  /** Settles with the first contact; rejects when the feed is closed before. */
  ready(): Promise<void> {
    return this.#contact
  }

  get started(): boolean {
    return this.#epoch !== undefined
  }

  start(): void {
    this.#connect()
    this.#stopChecking = this.#host.clock.every(CHECK, () => {
      if (this.stats.state === 'live') this.#repair()
    })
  }

  /** Waits for the first contact, no longer than one call to the bus may take. */
  async #reached(channel: string): Promise<void> {
    // Who comes while others still wait gets in line, or would overtake them.
    if (this.started && this.#starting === 0) return
    this.#starting += 1
    try {
      await withDeadline(this.#host.clock, this.#timeout, this.#over, () => this.#contact)
    } catch (cause) {
      throw new SluiceError(
        'SLUICE_BUS_UNAVAILABLE',
        `The bus was not reached within ${this.#timeout} ms, so ${shown(channel)} did not get the event; await hub.ready() before the first publish.`,
        { cause },
      )
    } finally {
      this.#starting -= 1
    }
  }

  /**
   * Stores a publish, after the first contact.
   *
   * @param checked called when there was contact, before anything is sent: what it throws is the publisher's mistake
   * @throws {SluiceError} (as rejection) SLUICE_BUS_UNAVAILABLE
   */
  async append(channel: string, body: Uint8Array, checked: () => void = () => {}): Promise<Position> {
    if (this.#appendingBytes + body.length > MAX_APPENDING_BYTES) {
      this.stats.refused += 1
      throw unavailable(channel, 'has too much to store already')
    }
    this.stats.appending += 1
    this.#appendingBytes += body.length
    try {
      await this.#reached(channel)
      checked()
      return await this.#store(channel, body)
    } finally {
      this.stats.appending -= 1
      this.#appendingBytes -= body.length
      if (this.stats.appending === 0) this.#idle()
    }
  }

  async #store(channel: string, body: Uint8Array): Promise<Position> {
    if (!this.#breaker.pass()) {
      this.stats.refused += 1
      throw unavailable(channel, 'did not answer several times in a row, and is left alone for a moment')
    }
    this.#names += 1
    const dedupe = `${this.#name}-${this.#names}`
    try {
      const position = await withDeadline(this.#host.clock, this.#timeout, this.#over, (signal) =>
        this.bus.append(channel, body, { dedupe, signal }),
      )
      this.#breaker.succeeded()
      return position
    } catch (cause) {
      this.#breaker.failed()
      this.stats.failed += 1
      throw unavailable(channel, 'did not take it', cause)
    }
  }

  /** Reads what has been stored up to now, so that the hub is no further behind than that. Waits for a bus that is down. */
  catchUp(): Promise<void> {
    return this.#repair()
  }

  /** One page, however long it takes; rejects only when the feed is closed. */
  async read(after: Position): Promise<Page> {
    for (let wait = FIRST_RETRY; ; wait = Math.min(LONGEST_RETRY, wait * 2)) {
      try {
        return await withDeadline(this.#host.clock, this.#timeout, this.#over, (signal) =>
          this.bus.read(after, PAGE, { signal }),
        )
      } catch (error) {
        if (this.#over.aborted) throw error
        await this.#sleep(wait)
      }
    }
  }

  /** @param within milliseconds that publishes under way have to be acknowledged */
  async close(within: number): Promise<void> {
    if (this.stats.appending > 0) {
      await this.#bounded(within, () => new Promise((resolve) => (this.#idle = resolve)))
    }
    this.#over.abort(new Error('the hub is closed'))
    this.#refuse(new SluiceError('SLUICE_HUB_CLOSED', 'The hub was closed before its bus was reached.'))
    this.#stopChecking()
    this.#waiting = []
    const tail = this.#tail
    this.#tail = undefined
    if (tail) await this.#bounded(CLOSING, async () => tail.close())
  }

  /** Waits for an engine's goodbye, but not for ever. */
  #bounded(ms: number, work: () => Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#host.clock.after(ms, resolve)
      const done = (): void => {
        cancel()
        resolve()
      }
      work().then(done, done)
    })
  }

  // --- The feed ------------------------------------------------------------------------------------------------

  async #connect(): Promise<void> {
    for (let wait = FIRST_RETRY; !this.#over.aborted; wait = Math.min(LONGEST_RETRY, wait * 2)) {
      try {
        const tail = await this.bus.tail({
          entry: (entry) => this.#entry(entry),
          up: (state) => this.#up(state.epoch, state.head),
          down: (cause) => this.#down(cause),
        })
        if (this.#over.aborted) await tail.close().catch(() => {})
        else this.#tail = tail
        return
      } catch (error) {
        if (wait === FIRST_RETRY) this.#host.report(error, { during: 'bus' })
        await this.#sleep(wait).catch(() => {})
      }
    }
  }

  #up(epoch: string, head: Position): void {
    if (this.#over.aborted) return
    const before = this.stats.state
    this.stats.state = 'live'
    if (this.#epoch === undefined) {
      this.#epoch = epoch
      this.#last = head
      this.#host.feedStarted(epoch, head)
      this.#ready()
    } else if (epoch !== this.#epoch) this.#restart(epoch, head)
    else this.#repair()
    if (before !== 'live') this.#host.feedChanged(true, undefined)
  }

  #down(cause: unknown): void {
    if (this.#over.aborted || this.stats.state !== 'live') return
    this.stats.state = 'down'
    this.#host.feedChanged(false, cause)
  }

  #entry(entry: Entry): void {
    if (this.#over.aborted || this.#epoch === undefined) return
    if (this.#repairing) this.#keep(entry)
    else if (!this.#take(entry)) {
      this.#keep(entry)
      this.#repair()
    }
  }

  /** Hands an entry on, unless one before it is missing. */
  #take(entry: Entry): boolean {
    if (entry.position <= this.#last) return true
    if (entry.previous !== undefined && entry.previous > this.#last) return false
    this.#last = entry.position
    // What comes next waits until the readers have seen this, or the log would run over in front of them.
    if (this.#host.feedEntry(entry)) this.#repair()
    return true
  }

  #keep(entry: Entry): void {
    this.#waitingBytes += entry.body.length
    if (this.#waiting.length >= MAX_WAITING || this.#waitingBytes > MAX_WAITING_BYTES) this.#overrun = true
    else this.#waiting.push(entry)
  }

  #repair(): Promise<void> {
    // What is being read was asked for before: it is read once more, for what came since.
    this.#again = this.#repairing !== undefined
    // Only a closed feed gives up.
    this.#repairing ??= this.#repairAll().catch(() => {})
    return this.#repairing
  }

  async #repairAll(): Promise<void> {
    this.stats.repairs += 1
    let wait = FIRST_RETRY
    for (;;) {
      const before = this.#last
      this.#overrun = false
      await this.#host.feedWalked()
      await this.#readOn()
      if (this.#drain()) {
        if (!this.#again) {
          this.#repairing = undefined
          return
        }
        this.#again = false
        continue
      }
      if (this.#last > before) wait = FIRST_RETRY
      else {
        // The feed is ahead of what can be read, as of a replica: that is behind for a moment, and asking at once does not help.
        await this.#sleep(wait)
        wait = Math.min(LONGEST_RETRY, wait * 2)
      }
    }
  }

  /** Reads to the end of the log, as it was at the last answer: the feed brings the rest. */
  async #readOn(): Promise<void> {
    for (;;) {
      const epoch = this.#epoch
      const page = await this.read(this.#last)
      // Positions started anew while it was asked: it was asked from a place in the life before.
      if (this.#epoch !== epoch) continue
      if (page.epoch !== this.#epoch) {
        this.#restart(page.epoch, page.head)
        continue
      }
      if (page.lost) this.#lose(page)
      for (const entry of page.entries) {
        if (entry.position <= this.#last) continue
        this.#last = entry.position
        if (this.#host.feedEntry(entry)) await this.#host.feedWalked()
        if (this.#epoch !== epoch) break
      }
      if (this.#epoch === epoch && (page.entries.length === 0 || this.#last >= page.head)) return
    }
  }

  #lose({ entries, head }: Page): void {
    const [first] = entries
    const through = first ? (first.previous ?? first.position - 1) : head
    if (through <= this.#last) return
    this.#last = through
    this.#host.feedLost(through)
  }

  /** Hands on what came meanwhile; says whether nothing was missing among it. */
  #drain(): boolean {
    while (this.#waiting.length > 0 && !this.#overrun) {
      const entry = this.#waiting[0] as Entry // there is one: tested above
      if (entry.position > this.#last) {
        if (entry.previous !== undefined && entry.previous > this.#last) return false
        this.#last = entry.position
        this.#waiting.shift()
        if (this.#host.feedEntry(entry)) return false
      } else this.#waiting.shift()
    }
    this.#waiting = []
    this.#waitingBytes = 0
    return !this.#overrun
  }

  #restart(epoch: string, head: Position): void {
    this.#epoch = epoch
    this.#last = head
    this.#waiting = []
    this.#waitingBytes = 0
    this.#host.feedRestarted(epoch, head)
  }

  #sleep(ms: number): Promise<void> {
    // Jittered, for all nodes lose their bus at the same moment.
    const wait = ms * (0.5 + this.#host.random() / 2)
    return new Promise((resolve, reject) => {
      const over = this.#over
      const stop = (): void => {
        cancel()
        reject(over.reason)
      }
      const cancel = this.#host.clock.after(wait, () => {
        over.removeEventListener('abort', stop)
        resolve()
      })
      over.addEventListener('abort', stop)
      if (over.aborted) stop()
    })
  }
}

function unavailable(channel: string, why: string, cause?: unknown): SluiceError {
  return new SluiceError(
    'SLUICE_BUS_UNAVAILABLE',
    `The bus ${why}, so ${shown(channel)} may not have got the event; publish it again later, or set busFallback to 'local' to serve this process's clients meanwhile.`,
    { cause },
  )
}

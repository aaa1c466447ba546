// Several buses of which one is in use: when its feed stays down, the next takes its place. Positions of one mean nothing to another,
// so every change is a new epoch, and the hub tells its clients a gap.

import type { AppendOptions, Bus, Page, Position, TailListener } from '../core/bus.ts'
import { checkMilliseconds, checkOptions } from '../core/check.ts'
import { SluiceError, shown } from '../core/errors.ts'
import { guarded } from './guarded.ts'

/** Between two attempts to reach a bus at the start, in milliseconds. */
const RETRY = 250

export interface FailoverOptions {
  /** How long the feed of the bus in use may stay down before the next one is tried, in milliseconds; 10_000 by default. */
  readonly after?: number
  /** Called with the bus that is in use from now on: for logs and alarms. */
  readonly onSwitch?: (bus: Bus, index: number) => void
}

/**
 * One bus made of several, used in their order: `failover([primary, standby])`. It stays with the one it has gone to until that
 * fails as well, and then goes on to the next, in a circle: going back is a gap for every client, and somebody's decision (restart the nodes).
 *
 * At the start, too, the first choice has `after` to answer: a node that begins during a blip does not leave the others.
 *
 * Every node decides for itself. When some reach the primary and others do not, they share no log until they meet again; clients that move
 * between them are told a gap (`epoch`). Choose `after` longer than the failover that the engine does by itself, which loses less.
 *
 * @throws {SluiceError} SLUICE_BAD_OPTION
 */
export function failover(buses: readonly Bus[], options: FailoverOptions = {}): Bus {
  if (!Array.isArray(buses) || buses.length < 2) {
    throw new SluiceError(
      'SLUICE_BAD_OPTION',
      `buses is ${shown(buses)}; it must be a list of two buses or more, the first choice first.`,
    )
  }
  const { after = 10_000, onSwitch } = checkOptions('failover', options, ['after', 'onSwitch'])
  return new Failover(buses, checkMilliseconds('after', after, 1, false), onSwitch)
}

class Failover implements Bus {
  readonly #buses: readonly Bus[]
  readonly #after: number
  readonly #onSwitch: ((bus: Bus, index: number) => void) | undefined
  readonly #feeds = new Set<FailoverFeed>()
  /** Since a change until a feed has followed it. */
  #switching = false
  index = 0

  constructor(
    buses: readonly Bus[],
    after: number,
    onSwitch: ((bus: Bus, index: number) => void) | undefined,
  ) {
    this.#buses = buses
    this.#after = after
    this.#onSwitch = onSwitch
  }

  get name(): string {
    return this.current.name
  }

  get current(): Bus {
    return this.#buses[this.index] as Bus // the index stays within the list
  }

  get after(): number {
    return this.#after
  }

  append(channel: string, body: Uint8Array, options?: AppendOptions): Promise<Position> {
    if (this.#switching) {
      // Its position would mean something else to who has not heard of the change.
      return Promise.reject(
        new SluiceError(
          'SLUICE_BUS_UNAVAILABLE',
          'failover has gone on to another bus, whose feed is not up yet; try again in a moment.',
        ),
      )
    }
    return this.#of((bus) => bus.append(channel, body, options))
  }

  read(after: Position, limit: number, options?: { readonly signal?: AbortSignal }): Promise<Page> {
    return this.#of((bus) => bus.read(after, limit, options))
  }

  /** What the one says that was left meanwhile means nothing to who listens to the other. */
  async #of<T>(ask: (bus: Bus) => Promise<T>): Promise<T> {
    const asked = this.current
    const answer = await ask(asked)
    if (asked === this.current) return answer
    throw new SluiceError(
      'SLUICE_BUS_UNAVAILABLE',
      `failover has left the bus ${shown(asked.name)} while it answered; try again with the one in use now.`,
    )
  }

  async tail(listener: TailListener): Promise<{ close(): Promise<void> }> {
    const feed = new FailoverFeed(this, listener)
    this.#feeds.add(feed)
    try {
      await feed.start(this.#buses.length)
    } catch (error) {
      this.#feeds.delete(feed)
      throw error
    }
    return {
      close: () => {
        this.#feeds.delete(feed)
        return feed.close()
      },
    }
  }

  /** A feed of the bus in use is up. */
  arrived(index: number): void {
    if (index === this.index) this.#switching = false
  }

  /** Goes on to the next, unless another feed has done so already. */
  next(failed: number): void {
    if (this.index !== failed) return
    this.index = (failed + 1) % this.#buses.length
    const { index } = this
    if (this.#onSwitch) guarded(() => this.#onSwitch?.(this.current, index))
    this.#switching = this.#feeds.size > 0
    for (const feed of this.#feeds) feed.follow()
  }

  async close(): Promise<void> {
    await Promise.all([...this.#feeds].map((feed) => feed.close()))
    await Promise.all(this.#buses.map((bus) => bus.close()))
  }
}

class FailoverFeed {
  readonly #bus: Failover
  readonly #listener: TailListener
  #tail: { close(): Promise<void> } | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  /** Which attempt is the one that counts: what older ones still say is not passed on. */
  #attempt = 0
  /** Which bus it was for. */
  #index = 0
  #started = false
  #closed = false

  constructor(bus: Failover, listener: TailListener) {
    this.#bus = bus
    this.#listener = listener
  }

  async start(tries: number): Promise<void> {
    for (let left = tries; !this.#started; ) {
      try {
        await this.#patiently()
        this.#started = this.#closed || this.#index === this.#bus.index
        if (this.#started) return
        // Another feed has gone on meanwhile.
        const tail = this.#tail
        this.#tail = undefined
        tail?.close().catch(() => {})
      } catch (error) {
        // After the last the next is the first again, for whoever tries once more.
        this.#bus.next(this.#index)
        left -= 1
        if (left === 0 || this.#closed) throw error
      }
    }
  }

  /** Tries the bus in use for as long as a feed may be down. */
  async #patiently(): Promise<void> {
    const { after } = this.#bus
    const end = performance.now() + after
    for (;;) {
      try {
        return await this.#open()
      } catch (error) {
        if (this.#closed || this.#bus.index !== this.#index || performance.now() >= end) throw error
        await new Promise((resolve) => setTimeout(resolve, Math.min(RETRY, after)))
      }
    }
  }

  /** The bus in use is another now: all feeds go there together, or they would share no log. */
  follow(): void {
    if (this.#started && !this.#closed && this.#index !== this.#bus.index) void this.#reopen()
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    const tail = this.#tail
    this.#tail = undefined
    await tail?.close()
  }

  async #open(): Promise<void> {
    this.#attempt += 1
    const attempt = this.#attempt
    const { index } = this.#bus
    this.#index = index
    const valid = (): boolean => !this.#closed && attempt === this.#attempt
    const tail = await this.#bus.current.tail({
      entry: (entry) => {
        if (valid()) this.#listener.entry(entry)
      },
      up: (state) => {
        if (!valid()) return
        clearTimeout(this.#timer)
        this.#bus.arrived(index)
        this.#listener.up(state)
      },
      down: (cause) => {
        if (!valid()) return
        this.#listener.down(cause)
        this.#wait(index)
      },
    })
    if (valid()) this.#tail = tail
    else await tail.close()
  }

  #wait(index: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#bus.next(index), this.#bus.after)
  }

  async #reopen(): Promise<void> {
    clearTimeout(this.#timer)
    const tail = this.#tail
    this.#tail = undefined
    const opening = this.#open()
    const attempt = this.#attempt
    // What does not answer is not waited for.
    tail?.close().catch(() => {})
    try {
      await opening
    } catch {
      if (!this.#closed && attempt === this.#attempt) this.#wait(this.#index)
    }
  }
}

// What the hub holds for a channel name: the log, the readers, and the options that bound them.
// It knows nothing of how readers are reached: the fan-out walks them.

import { checkInteger, checkMilliseconds, checkOneOf, checkOptions } from './check.ts'
import { Log } from './log.ts'
import { Readers } from './readers.ts'

/** What a lagging cursor gets that meets the log's tail. */
export type Overflow = 'gap' | 'latest' | 'disconnect'

/** How much of a channel is kept, and what becomes of readers that fall off its tail. */
export interface ChannelOptions {
  /** Frames kept for replay and for lagging readers. Default 1000. */
  maxEvents?: number
  /** Encoded bytes kept, variants included; the newest frame is kept whatever its size. Default 1 MiB (1_048_576). */
  maxBytes?: number
  /** How long a frame is kept, in milliseconds; `Infinity` for as long as the other bounds allow. Default 300_000 (five minutes). */
  maxAge?: number
  /**
   * What a reader gets that lags behind the oldest frame kept. Default `'gap'`.
   * - `'gap'`: it skips ahead to the oldest frame kept, and a gap event says what it missed.
   * - `'latest'`: it skips ahead to the newest frame of each `key` (events without a key share one); only a key
   *   whose newest frame itself was pushed out by the bounds makes a gap.
   * - `'disconnect'`: its connection closes with reason `overflow`, to come back and resume.
   */
  overflow?: Overflow
}

/** Each default serves a stream of some events per second and a client that is away for a page reload or a network change. */
export const CHANNEL_DEFAULTS: Readonly<Required<ChannelOptions>> = Object.freeze({
  maxEvents: 1000,
  maxBytes: 1_048_576,
  maxAge: 300_000,
  overflow: 'gap',
})

const KNOWN = Object.keys(CHANNEL_DEFAULTS)

/** `options` over `base`, validated. @throws {SluiceError} SLUICE_BAD_OPTION */
export function channelOptions(
  options: ChannelOptions,
  base: Readonly<Required<ChannelOptions>>,
): Required<ChannelOptions> {
  checkOptions('channel options', options, KNOWN)
  const { maxEvents, maxBytes, maxAge, overflow } = options
  return {
    maxEvents: maxEvents === undefined ? base.maxEvents : checkInteger('maxEvents', maxEvents, 1),
    maxBytes: maxBytes === undefined ? base.maxBytes : checkInteger('maxBytes', maxBytes, 1),
    maxAge: maxAge === undefined ? base.maxAge : checkMilliseconds('maxAge', maxAge, 1, true),
    overflow:
      overflow === undefined
        ? base.overflow
        : checkOneOf('overflow', overflow, ['gap', 'latest', 'disconnect']),
  }
}

export class ChannelState {
  readonly name: string
  readonly log: Log
  readonly readers = new Readers()
  options: Required<ChannelOptions>
  /** The options object that was applied last, by whichever handle. */
  configuredBy: ChannelOptions | undefined
  /** The sequence of the final event; 0 while the channel has not ended. */
  endedAt = 0
  /** Since when nobody reads it, on the hub's clock; meaningless while somebody does. */
  idleSince = 0
  /** Whether the fan-out has it in its queue. */
  dirty = false
  #pendingEvents = 0
  #pendingBytes = 0
  /** Publishers that wait until the readers have been walked. */
  #waiting: (() => void)[] = []

  constructor(name: string, options: Required<ChannelOptions>, lostThrough: number) {
    this.name = name
    this.options = options
    this.log = new Log(options, options.overflow === 'latest', lostThrough)
  }

  configure(options: ChannelOptions): void {
    this.options = channelOptions(options, this.options)
    this.log.configure(this.options, this.options.overflow === 'latest')
  }

  /** Counts what was published since the readers were last walked. */
  published(bytes: number): void {
    this.#pendingEvents += 1
    this.#pendingBytes += bytes
  }

  /**
   * Whether so much was published since the readers were last walked that what comes next might push it out of
   * the log before a caught-up reader has seen it.
   */
  get backlogged(): boolean {
    const { maxEvents, maxBytes } = this.options
    return this.#pendingEvents * 2 >= maxEvents || this.#pendingBytes * 2 >= maxBytes
  }

  /** Nobody reads: what was published hurries nobody. */
  unread(): void {
    this.#pendingEvents = 0
    this.#pendingBytes = 0
  }

  /** Settles when the readers have been walked once more. */
  walked(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  beginWalk(): number {
    this.dirty = false
    this.#pendingEvents = 0
    this.#pendingBytes = 0
    return this.readers.beginWalk()
  }

  endWalk(): void {
    this.readers.endWalk()
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}

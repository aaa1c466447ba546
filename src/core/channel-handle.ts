// The handle by which applications use one channel. It holds the name, not the channel itself: the hub drops a
// channel that nobody reads and that holds nothing, and makes it anew when it is needed.

import { CHANNEL_DEFAULTS, type ChannelOptions, type ChannelState, channelOptions } from './channel.ts'
import { checkOptions } from './check.ts'
import type { EventInput } from './event-stream/encode.ts'
import { type PipeSource, pump } from './pipe.ts'

/** What a handle needs of its hub. */
export interface ChannelHost {
  readonly position: string
  /** Aborted when the hub closes. */
  readonly signal: AbortSignal
  publish(channel: string, event: EventInput): Promise<string>
  channelState(name: string): ChannelState
  findChannel(name: string): ChannelState | undefined
  endChannel(name: string, event: EventInput): Promise<string>
  idOf(sequence: number): string
  /** Calls `listener` with the name of every channel that ends, until the returned function is called. */
  onEnded(listener: (channel: string) => void): () => void
  report(error: unknown, context: { during: 'pipe'; channel: string }): void
}

export class Channel {
  readonly name: string
  readonly #host: ChannelHost
  readonly #options: ChannelOptions | undefined

  /** @internal */
  constructor(host: ChannelHost, name: string, options: ChannelOptions | undefined) {
    this.#host = host
    this.name = name
    if (options !== undefined) {
      channelOptions(options, CHANNEL_DEFAULTS) // a bad option throws here, not at the first publish
      this.#options = { ...options }
    }
    this.#configured()
  }

  /** How many connections read it. */
  get size(): number {
    return this.#host.findChannel(this.name)?.readers.size ?? 0
  }

  /** The id of its newest event; the hub's position when it has none yet. Reading on after it misses nothing. */
  get position(): string {
    const newest = this.#host.findChannel(this.name)?.log.newest ?? 0
    return newest > 0 ? this.#host.idOf(newest) : this.#host.position
  }

  /** Whether it has ended, and its history has not expired yet. */
  get ended(): boolean {
    return (this.#host.findChannel(this.name)?.endedAt ?? 0) > 0
  }

  /** As `hub.publish`. */
  publish(event: EventInput): Promise<string> {
    this.#configured()
    return this.#host.publish(this.name, event)
  }

  /**
   * Publishes every item of `source`: a string as the data of an event, anything else as an event. Waits for each
   * publish before it asks for the next item, and stops the source when the hub closes or the channel ends.
   *
   * Settles with the number of items published; rejects with what the source threw. Ignoring the promise is safe: a
   * failure is also reported as the hub's `error`.
   *
   * @param options `end`: end the channel when the source ends, well or with an error. Default `false`.
   */
  pipe(source: PipeSource, options: { end?: boolean } = {}): Promise<number> {
    const piped = this.#pipe(source, options)
    piped.catch((error: unknown) => this.#host.report(error, { during: 'pipe', channel: this.name }))
    return piped
  }

  async #pipe(source: PipeSource, options: { end?: boolean }): Promise<number> {
    const { end = false } = checkOptions('pipe', options, ['end'])
    const over = new AbortController()
    const stop = (): void => over.abort()
    const unlisten = this.#host.onEnded((name) => {
      if (name === this.name) stop()
    })
    this.#host.signal.addEventListener('abort', stop)
    if (this.#host.signal.aborted) stop()
    try {
      return await pump(source, over.signal, (event) => this.publish(event))
    } finally {
      unlisten()
      this.#host.signal.removeEventListener('abort', stop)
      if (end && !this.#host.signal.aborted) await this.end()
    }
  }

  /**
   * Publishes a final event and closes its readers, once they have read it, with reason `ended` (a connection that
   * reads other channels too goes on with those). The channel takes no more events, and can be replayed until its
   * history expires; a client that has read it all and comes back is answered 204, at which an `EventSource` stops.
   * Ending twice changes nothing and gives the same id.
   *
   * @param event the final event; default `{ event: 'end', data: '' }`.
   */
  end(event: EventInput = { event: 'end', data: '' }): Promise<string> {
    this.#configured()
    return this.#host.endChannel(this.name, event)
  }

  /** A channel that was dropped and made anew has forgotten its options; this handle has not. */
  #configured(): void {
    if (!this.#options) return
    const state = this.#host.channelState(this.name)
    if (state.configuredBy !== this.#options) {
      state.configure(this.#options)
      state.configuredBy = this.#options
    }
  }
}

// A stream that comes back: attempt after attempt, one at a time, into one inbox from which the iteration takes. It
// ends exactly once, and afterwards holds no timer, no listener and no connection.

import { SluiceError } from '../core/errors.ts'
import type { DecodedEvent } from '../core/event-stream/decode.ts'
import { Attempt, type Outcome } from './attempt.ts'
import { Backoff } from './backoff.ts'
import { gapOf, parseData, type StreamEvent } from './events.ts'
import { Inbox } from './inbox.ts'
import type { StreamSettings } from './options.ts'
import { PLATFORM, type Platform } from './platform.ts'

/** As `EventSource.readyState`: `connecting` includes the waits between attempts. */
export type StreamState = 'connecting' | 'open' | 'closed'

/**
 * What `connect` gives. Iterate it once, in one place: every iterator is the same one. What was not taken is not read
 * from the network either, so that the server sees a slow client as what it is.
 */
export interface EventStream<Events = Record<string, string>> extends AsyncIterable<StreamEvent<Events>> {
  readonly state: StreamState
  /** Where to go on after the last event that the iteration gave, `''` for nowhere yet. */
  readonly lastEventId: string
  /** Ends it at once and for good: the iteration ends normally, without what it has not taken yet. Harmless when repeated. */
  close(): void
  [Symbol.asyncIterator](): AsyncIterator<StreamEvent<Events>, undefined>
}

export class Stream<Events> implements EventStream<Events> {
  readonly #settings: StreamSettings
  readonly #platform: Platform
  readonly #inbox = new Inbox<DecodedEvent>()
  readonly #backoff: Backoff
  readonly #iterator: AsyncIterator<StreamEvent<Events>, undefined>
  readonly #running: Promise<void>
  #state: StreamState = 'connecting'
  /** Where to go on after everything that was decoded. */
  #decodedId: string
  /** Where to go on after the last event taken. */
  #takenId: string
  #attempt: Attempt | undefined
  /** Ends the wait between two attempts. */
  #wake: (() => void) | undefined

  constructor(settings: StreamSettings, platform: Platform = PLATFORM) {
    this.#settings = settings
    this.#platform = platform
    this.#backoff = new Backoff(settings.backoff, platform.random)
    this.#decodedId = settings.lastEventId
    this.#takenId = settings.lastEventId
    this.#iterator = {
      next: () => this.#next(),
      return: async () => {
        this.close()
        await this.#running
        return { done: true, value: undefined }
      },
    }
    settings.signal?.addEventListener('abort', this.#onAbort)
    if (settings.signal?.aborted) this.#onAbort()
    // Not before the caller has the stream: its functions may speak of it.
    this.#running = Promise.resolve().then(() => this.#run())
  }

  get state(): StreamState {
    return this.#state
  }

  get lastEventId(): string {
    return this.#inbox.isEmpty ? this.#decodedId : this.#takenId
  }

  close(): void {
    this.#forget()
    this.#end()
  }

  [Symbol.asyncIterator](): AsyncIterator<StreamEvent<Events>, undefined> {
    return this.#iterator
  }

  // --- The iteration ------------------------------------------------------------------------------------------

  async #next(): Promise<IteratorResult<StreamEvent<Events>, undefined>> {
    const decoded = await this.#inbox.take()
    if (decoded === undefined) return { done: true, value: undefined }
    this.#takenId = decoded.lastEventId
    try {
      return { done: false, value: this.#received(decoded) }
    } catch (error) {
      this.close()
      throw error
    }
  }

  #received(decoded: DecodedEvent): StreamEvent<Events> {
    const { onGap, parse } = this.#settings
    const gap = gapOf(decoded)
    if (gap) {
      if (onGap) this.#watch(onGap(gap))
      return { ...decoded, event: 'gap', gap }
    }
    const { event, lastEventId } = decoded
    // That names and data are those of `Events` is the caller's promise.
    return { event, data: parseData(decoded, parse), lastEventId } as StreamEvent<Events>
  }

  // --- The connection -----------------------------------------------------------------------------------------

  async #run(): Promise<void> {
    try {
      while (!this.#isClosed) {
        const outcome = await this.#once()
        if (this.#isClosed) return
        this.#state = 'connecting'
        if (outcome.is === 'over') return this.#end()
        if (outcome.is === 'final') return this.#end({ thrown: outcome.error })
        await this.#wait(outcome)
      }
    } catch (thrown) {
      this.#end({ thrown })
    }
  }

  async #once(): Promise<Outcome> {
    const attempt = new Attempt(this.#settings, this.#platform, this.#decodedId, {
      isDrained: () => this.#inbox.isEmpty,
      drained: () => this.#inbox.empty(),
      opened: (response) => {
        // Closed in the very turn in which the answer came.
        if (this.#isClosed) return
        this.#state = 'open'
        this.#watch(this.#settings.onOpen?.(response))
      },
      received: (event) => {
        this.#inbox.push(event)
      },
      moved: (lastEventId) => {
        this.#decodedId = lastEventId
      },
      reconnectionTime: (ms) => {
        this.#backoff.base = ms
      },
    })
    this.#attempt = attempt
    try {
      return await attempt.run()
    } finally {
      this.#attempt = undefined
      if (attempt.healthy) this.#backoff.failures = 0
    }
  }

  async #wait({ cause, floor }: Extract<Outcome, { is: 'again' }>): Promise<void> {
    const { maxRetries, onRetry } = this.#settings
    if (maxRetries === 0)
      return this.#end(cause.code === 'SLUICE_STREAM_ENDED' ? undefined : { thrown: cause })
    const delay = this.#backoff.next(floor)
    const attempt = this.#backoff.failures
    if (attempt > maxRetries) {
      const message = `The client failed ${attempt} times in a row, the last time with ${cause.code}, and maxRetries is ${maxRetries}; raise it, or see error.cause.`
      return this.#end({ thrown: new SluiceError('SLUICE_RETRIES_EXHAUSTED', message, { cause }) })
    }
    this.#watch(onRetry?.({ attempt, delay, cause }))
    if (this.#isClosed) return
    await new Promise<void>((resolve) => {
      const cancel = this.#platform.clock.after(delay, resolve)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
    this.#wake = undefined
  }

  // --- The end ------------------------------------------------------------------------------------------------

  /** Asked through a getter, for TypeScript takes a field that it saw compared for what it was then, over any await. */
  get #isClosed(): boolean {
    return this.#state === 'closed'
  }

  #end(failure?: { readonly thrown: unknown }): void {
    if (this.#isClosed) return
    this.#state = 'closed'
    this.#settings.signal?.removeEventListener('abort', this.#onAbort)
    this.#wake?.()
    this.#attempt?.abort()
    this.#inbox.end(failure)
  }

  /** What an async hook fails with must neither be lost nor be an unhandled rejection. */
  #watch(returned: unknown): void {
    if (typeof returned !== 'object' || returned === null || !('then' in returned)) return
    Promise.resolve(returned).catch((thrown: unknown) => this.#end({ thrown }))
  }

  readonly #onAbort = (): void => {
    this.#forget()
    this.#end({ thrown: this.#settings.signal?.reason })
  }

  /** Drops what was not taken, also from the last event ID: whoever stores that loses nothing. */
  #forget(): void {
    this.#takenId = this.lastEventId
    this.#decodedId = this.#takenId
    this.#inbox.clear()
  }
}

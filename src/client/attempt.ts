// One attempt: a request, and the stream that it opens, up to its end, whichever way that comes. An attempt is used
// once; what follows from its outcome is its stream's to decide.

import { SluiceError } from '../core/errors.ts'
import { createDecoder, type DecodedEvent, type Decoder } from '../core/event-stream/decode.ts'
import { Deadline } from './deadline.ts'
import { gapOf } from './events.ts'
import type { StreamSettings } from './options.ts'
import type { Platform } from './platform.ts'
import { prepare } from './request.ts'
import {
  infoOf,
  isEventStream,
  judge,
  notEventStream,
  type ResponseInfo,
  refused,
  textOf,
} from './response.ts'
import { retryAfter } from './retry-after.ts'

/** How an attempt ended. */
export type Outcome =
  /** Nothing more will come. */
  | { readonly is: 'over' }
  | { readonly is: 'final'; readonly error: unknown }
  /** `floor`: the server has said in how many milliseconds to come back. */
  | { readonly is: 'again'; readonly cause: SluiceError; readonly floor?: number | undefined }

/** What an attempt tells its stream. What these throw ends the attempt and is thrown by `run`. */
export interface AttemptOwner {
  /** Whether all that was received has been taken; until then nothing is read. */
  isDrained(): boolean
  /** Settles when it has been, or when nobody will take it any more. */
  drained(): Promise<void>
  opened(response: ResponseInfo): void
  received(event: DecodedEvent): void
  /** The last event ID has moved. */
  moved(lastEventId: string): void
  reconnectionTime(ms: number): void
}

/**
 * A Sluice server closes a stream right after a channel's end, so what follows later follows from something else, like
 * the fall of the server under a connection whose other channels go on. Being wrong here costs one request, answered 204.
 */
const END_WITHIN = 1_000

export class Attempt {
  /** Whether the stream proved itself: it brought an event, or lasted. */
  healthy = false
  readonly #settings: StreamSettings
  readonly #platform: Platform
  readonly #owner: AttemptOwner
  readonly #lastEventId: string
  readonly #abort = new AbortController()
  /** A reconnection time after which nothing came: at the stream's end it is a moment to come back at, else a rule. */
  #farewell: number | undefined
  /** When an `end` came after which nothing else did. */
  #endedAt: number | undefined
  /** An event that ends the iteration at once has come. */
  #over = false

  constructor(settings: StreamSettings, platform: Platform, lastEventId: string, owner: AttemptOwner) {
    this.#settings = settings
    this.#platform = platform
    this.#lastEventId = lastEventId
    this.#owner = owner
  }

  /** Gives it up, at any moment. `run` settles soon. */
  abort(): void {
    this.#abort.abort(new SluiceError('SLUICE_NETWORK', 'The attempt was given up.'))
  }

  async run(): Promise<Outcome> {
    try {
      return await this.#run()
    } finally {
      // Whatever is left of the request, the connection under it included.
      this.abort()
    }
  }

  async #run(): Promise<Outcome> {
    const { signal } = this.#abort
    const { connectTimeout } = this.#settings
    const timeout = new Deadline(this.#platform.clock, connectTimeout, () => {
      const message = `The server did not answer within connectTimeout (${connectTimeout} ms).`
      this.#abort.abort(new SluiceError('SLUICE_CONNECT_TIMEOUT', message))
    })
    timeout.start()
    let response: Response
    try {
      response = await untilAborted(this.#request(), signal)
      const outcome = await this.#answer(response)
      if (outcome) return outcome
    } catch (error) {
      return this.#failed(error)
    } finally {
      timeout.stop()
    }
    return this.#stream(response)
  }

  async #request(): Promise<Response> {
    const { signal } = this.#abort
    const { url, init } = await prepare(this.#settings, this.#lastEventId, signal)
    signal.throwIfAborted()
    const { fetch = globalThis.fetch } = this.#settings
    const response = await fetch(url, init)
    // A fetch that does not mind its signal may come too late.
    if (signal.aborted) response.body?.cancel().catch(ignore)
    return response
  }

  /** What an answer that opens no stream comes to. */
  async #answer(response: Response): Promise<Outcome | undefined> {
    const after = retryAfter(response.headers, this.#platform.today)
    const verdict = judge(response, after)
    if (verdict === 'over') return { is: 'over' }
    if (verdict === 'stream') {
      return isEventStream(response) ? undefined : { is: 'final', error: notEventStream(response) }
    }
    const body = await textOf(response.body, this.#abort.signal)
    return verdict === 'again'
      ? { is: 'again', cause: refused(response, body, false), floor: after }
      : { is: 'final', error: refused(response, body, true) }
  }

  async #stream(response: Response): Promise<Outcome> {
    const { clock } = this.#platform
    const openedAt = clock.now()
    const info = infoOf(response)
    this.#owner.opened(info)
    const decoder = this.#decoder(info)
    try {
      if (response.body) await this.#read(response.body, decoder)
    } catch (error) {
      // Cut off, it was a rule and no farewell.
      this.#settleReconnectionTime()
      return this.#failed(error)
    } finally {
      decoder.end()
      if (clock.now() - openedAt >= this.#settings.healthyAfter) this.healthy = true
    }
    if (this.#over || (this.#endedAt !== undefined && clock.now() - this.#endedAt <= END_WITHIN)) {
      return { is: 'over' }
    }
    const cause = new SluiceError('SLUICE_STREAM_ENDED', 'The server ended the stream.')
    return { is: 'again', cause, floor: this.#farewell }
  }

  #decoder({ resume }: ResponseInfo): Decoder {
    const { maxBufferBytes, endEvent } = this.#settings
    const { clock } = this.#platform
    const decoder = createDecoder(
      (event) => {
        this.#settleReconnectionTime()
        // A server that crashes at once may still tell a gap each time.
        if (!gapOf(event)) this.healthy = true
        this.#owner.received(event)
        const isEnd = event.event === (endEvent ?? 'end') && endEvent !== false
        if (isEnd && endEvent !== undefined) {
          this.#over = true
          this.#owner.moved(event.lastEventId)
          decoder.end()
        }
        this.#endedAt = isEnd && resume !== undefined ? clock.now() : undefined
      },
      {
        maxBufferBytes,
        lastEventId: this.#lastEventId,
        onRetry: (ms) => {
          this.#settleReconnectionTime()
          this.#farewell = ms
          this.#endedAt = undefined
        },
        onComment: () => {
          this.#settleReconnectionTime()
          this.#endedAt = undefined
        },
      },
    )
    return decoder
  }

  /** Reads as fast as the iteration takes, and no faster: bytes that are not asked for stay in the kernel. */
  async #read(body: ReadableStream<Uint8Array>, decoder: Decoder): Promise<void> {
    const { signal } = this.#abort
    const { silence } = this.#settings
    const watchdog = new Deadline(this.#platform.clock, silence, () => {
      const message = `Nothing arrived for silence (${silence} ms), not even a heartbeat.`
      this.#abort.abort(new SluiceError('SLUICE_SILENT', message))
    })
    const reader = body.getReader()
    // A fetch that does not mind its signal has a body that does not either.
    const cancel = (): void => {
      reader.cancel(signal.reason).catch(ignore)
    }
    signal.addEventListener('abort', cancel)
    try {
      while (!this.#over) {
        if (!this.#owner.isDrained()) await this.#owner.drained()
        signal.throwIfAborted()
        // Only while it waits for the server: a slow iteration is not the server's silence.
        watchdog.start()
        const { done, value } = await reader.read()
        watchdog.stop()
        signal.throwIfAborted()
        if (done) return
        try {
          decoder.write(value)
        } finally {
          if (!this.#over) this.#owner.moved(decoder.lastEventId)
        }
      }
    } finally {
      watchdog.stop()
      signal.removeEventListener('abort', cancel)
      cancel()
    }
  }

  #settleReconnectionTime(): void {
    if (this.#farewell !== undefined) this.#owner.reconnectionTime(this.#farewell)
    this.#farewell = undefined
  }

  #failed(error: unknown): Outcome {
    const { signal } = this.#abort
    const cause = signal.aborted ? signal.reason : error
    if (!(cause instanceof SluiceError)) {
      const message = `The request or the stream failed: ${cause instanceof Error ? cause.message : String(cause)}`
      return { is: 'again', cause: new SluiceError('SLUICE_NETWORK', message, { cause }) }
    }
    // An event too large comes again with every attempt; a header or id that cannot be sent stays what it is.
    return MENDING.has(cause.code) ? { is: 'again', cause } : { is: 'final', error: cause }
  }
}

/** Failures of which the next attempt may know nothing. */
const MENDING = new Set(['SLUICE_CONNECT_TIMEOUT', 'SLUICE_SILENT', 'SLUICE_NETWORK'])

/** Settles as `promise` does, unless `signal` is aborted before: for what does not mind a signal itself. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    signal.addEventListener('abort', abort)
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

function ignore(): void {}

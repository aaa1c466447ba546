// One client, as a browser's EventSource behaves: it opens a stream, and when that ends it comes back after the
// reconnection time with the last event ID it saw, unless an answer forbids it (HTML 9.2.3).

import { createDecoder, type DecodedEvent, type Decoder } from '../../src/event-stream.ts'
import type { Figures } from './figures.ts'
import { type Ids, Trail } from './ids.ts'
import { epochNow, type Stamp } from './stamp.ts'
import { openStream, type Stream, type StreamListener } from './stream.ts'

/** What all clients of a process share. */
export interface Shared {
  readonly url: URL
  readonly address: string
  readonly headers: Record<string, string | string[]>
  readonly insecure: boolean
  readonly stamp: Stamp | undefined
  readonly figures: Figures
  readonly ids: Ids
  /** Between the end of the ramp and the end of the run. */
  steady: boolean
}

/** HTML 9.2.2: "a reconnection time … must initially be an implementation-defined value, probably in the region of a few seconds". Browsers take 3 s. */
const RECONNECTION_TIME = 3_000
/** What a timer takes. */
const MAX_RECONNECTION_TIME = 2_147_483_647

export type ClientState = 'new' | 'connecting' | 'open' | 'away' | 'over'

/** Why it connects: as it arrives, after a stream ended, after it left by churn. */
type Arrival = 'first' | 'again' | 'churn'

export class Client implements StreamListener {
  /** Never reads once its stream is open. */
  readonly slow: boolean
  state: ClientState = 'new'
  readonly #shared: Shared
  readonly #source: string | undefined
  #trail: Trail
  #lastEventId = ''
  #reconnectionTime = RECONNECTION_TIME
  #arrival: Arrival = 'first'
  #stream: Stream | undefined
  #decoder: Decoder | undefined
  #timer: NodeJS.Timeout | undefined
  /** Times of the current stream, by `performance.now()`, and its beginning by the wall clock. */
  #startedAt = 0
  #startedEpoch = 0
  #openedAt = 0
  #lastByteAt = 0
  #gotBytes = false
  /** When the last stream ended, while away. */
  #leftAt = 0
  /** Whether it reads what is left, to see how its stream stands. */
  #readingOut = false

  constructor(shared: Shared, slow: boolean, source: string | undefined) {
    this.#shared = shared
    this.slow = slow
    this.#source = source
    this.#trail = new Trail(shared.ids)
  }

  start(): void {
    this.#shared.figures.firstStart ??= epochNow()
    this.#connect('first')
  }

  /** Leaves, and comes back at once: as the same client or as a new one. */
  churn(fresh: boolean): void {
    this.#leave()
    this.#shared.figures.counts.left += 1
    if (fresh) {
      this.#lastEventId = ''
      this.#reconnectionTime = RECONNECTION_TIME
      this.#trail = new Trail(this.#shared.ids)
    }
    this.#connect('churn')
  }

  /** A client that stopped reading reads again; its stream's end, if there is one, then shows. */
  readOut(): void {
    this.#readingOut = true
    this.#stream?.resume()
  }

  stop(): void {
    const { counts } = this.#shared.figures
    if (this.state === 'open') counts.openAtEnd += 1
    else if (this.state === 'connecting') counts.unansweredAtEnd += 1
    else if (this.state === 'away') counts.awayAtEnd += 1
    this.#leave()
    this.state = 'over'
  }

  #connect(arrival: Arrival): void {
    const { url, address, insecure, figures } = this.#shared
    this.state = 'connecting'
    this.#arrival = arrival
    this.#startedAt = performance.now()
    this.#startedEpoch = epochNow()
    this.#gotBytes = false
    if (arrival === 'again') {
      figures.counts.reconnects += 1
      figures.tally('reconnectsBySecond', Math.floor(epochNow() / 1_000))
    }
    const headers = { ...this.#shared.headers }
    if (this.#lastEventId !== '') {
      figures.counts.withLastEventId += 1
      // HTML 9.2.3: the last event ID goes as UTF-8, and Node writes headers as latin1.
      headers['last-event-id'] = Buffer.from(this.#lastEventId).toString('latin1')
    }
    const paused = this.slow
    this.#stream = openStream({ url, address, source: this.#source, headers, insecure, paused }, this)
  }

  requested(): void {
    this.#shared.figures.counts.attempts += 1
  }

  connected(): void {
    this.#shared.figures.times.connect.add(performance.now() - this.#startedAt)
  }

  status(status: number): void {
    this.#shared.figures.tally('statuses', status)
  }

  redirected(): void {
    this.#shared.figures.counts.redirects += 1
  }

  opened(): void {
    const { figures } = this.#shared
    const now = performance.now()
    this.state = 'open'
    this.#openedAt = now
    this.#lastByteAt = now
    figures.times.headers.add(now - this.#startedAt)
    if (this.slow) figures.counts.slowOpened += 1
    if (this.#arrival === 'first') {
      figures.counts.opened += 1
      figures.lastOpened = epochNow()
    } else if (this.#arrival === 'churn') figures.counts.returned += 1
    else {
      figures.counts.reopened += 1
      figures.times.away.add(now - this.#leftAt)
    }
    this.#trail.opened()
    this.#decoder = createDecoder((event) => this.#event(event), {
      onRetry: (ms) => this.#retry(ms),
      onComment: () => {
        figures.counts.comments += 1
      },
    })
  }

  bytes(bytes: Buffer): void {
    const { figures } = this.#shared
    if (this.#readingOut) {
      figures.counts.slowBytes += bytes.length
      return
    }
    const now = performance.now()
    if (!this.#gotBytes) {
      this.#gotBytes = true
      figures.times.firstByte.add(now - this.#startedAt)
    }
    this.#lastByteAt = now
    figures.counts.bytes += bytes.length
    const decoder = this.#decoder as Decoder // made when the stream opened
    try {
      decoder.write(bytes)
    } catch (error) {
      // An event that no decoder with a bound takes: this server has nothing for an EventSource.
      this.#shared.figures.tally('failures', codeOf(error))
      this.#leave()
      this.#giveUp()
      return
    }
    if (decoder.lastEventId !== '') {
      this.#lastEventId = decoder.lastEventId
      this.#trail.settled(decoder.lastEventId)
    }
  }

  refused(why: 'status' | 'type' | 'redirect'): void {
    const { counts } = this.#shared.figures
    if (why === 'type') counts.wrongType += 1
    if (why === 'redirect') counts.redirectsRefused += 1
    this.#giveUp()
  }

  failed(code: string): void {
    this.#shared.figures.tally('failures', code)
    this.#comeBack()
  }

  ended(how: 'ended' | 'cut'): void {
    const { figures } = this.#shared
    const now = performance.now()
    this.#trail.closed()
    if (this.slow) {
      figures.counts.slowLetGo += 1
      // Its age and silence at that moment are not known, and it has shown what it was for.
      this.state = 'over'
      return
    }
    figures.tally('ends', how)
    figures.close(now - this.#openedAt, now - this.#lastByteAt)
    this.#comeBack()
  }

  #event({ event, data, lastEventId }: DecodedEvent): void {
    const { figures, stamp, steady } = this.#shared
    const { counts } = figures
    counts.events += 1
    if (steady) counts.steadyEvents += 1
    if (event === 'gap' && data.includes('"requested"')) counts.gapsTold += 1
    else if (stamp) this.#latency(stamp(data))
    const verdict = this.#trail.event(event, data, lastEventId)
    if (verdict === 'duplicate') counts.duplicates += 1
    else counts[verdict] += 1
  }

  #latency(sentAt: number | undefined): void {
    const { counts, times } = this.#shared.figures
    if (sentAt === undefined) counts.unstamped += 1
    // Sent before the stream was asked for: it waited for the client, not for the server.
    else if (sentAt < this.#startedEpoch - 1) counts.replayed += 1
    else {
      const latency = epochNow() - sentAt
      // A time of whole milliseconds is up to one too early or, rounded, half a one too late.
      if (latency < -1) counts.fromFuture += 1
      times.latency.add(latency)
    }
  }

  #retry(ms: number): void {
    this.#shared.figures.gotRetry(ms)
    this.#reconnectionTime = Math.min(ms, MAX_RECONNECTION_TIME)
  }

  #comeBack(): void {
    this.state = 'away'
    this.#leftAt = performance.now()
    this.#timer = setTimeout(() => this.#connect('again'), this.#reconnectionTime)
  }

  #giveUp(): void {
    this.#shared.figures.counts.gaveUp += 1
    this.state = 'over'
  }

  /** Ends whatever goes on. */
  #leave(): void {
    clearTimeout(this.#timer)
    this.#stream?.abandon()
    if (this.state === 'open') this.#trail.closed()
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}

// How connections lived and ended: for the statistics since the hub was made, and, as evidence for a diagnosis, over
// the last quarter to half of an hour, so that what was cured is forgotten. It counts; what it means is for `diagnose`.

import { Bursts } from './bursts.ts'
import { byReason, type Closed, type CloseReason, countsByReason } from './close.ts'
import { type Bucket, Histogram, merged, type Quantiles } from './histogram.ts'
import { Sample } from './sample.ts'

/** How long a generation of evidence collects. Two are kept: one that is full, and one that fills. */
export const GENERATION = 15 * 60_000
/** A client that leaves sooner than this has hardly looked. */
export const EARLY = 1_000
/** Names of encodings kept apart; they come from the application and its middleware, which might invent any number. */
const MOST_ENCODINGS = 8
const NONE: Quantiles = { p50: 0, p90: 0, p99: 0 }

/** What is known of a connection when it opens. */
export interface Opened {
  /** The client brought a last event ID. */
  readonly resumed: boolean
  /** The opening block gave it an id to come back with. */
  readonly told: boolean
  /** The response's Content-Encoding, if it has one. */
  readonly encoding: string | undefined
}

/** One connection's end. Milliseconds. */
export type Ending = readonly [age: number, silence: number, events: number]

/** How the connections of one reason ended, since the hub was made. Milliseconds. */
export interface Lifetime {
  count: number
  /** From opening to end. */
  age: Quantiles
  /** From the last write to the end. */
  silence: Quantiles
}

/** What `diagnose` judges: plain data, safe for JSON. Buckets and endings are of closes by the client. */
export interface Evidence {
  /** Milliseconds over which it was gathered. */
  span: number
  closes: Record<CloseReason, number>
  ages: Bucket[]
  silences: Bucket[]
  /** Some of them. */
  endings: Ending[]
  opened: number
  /** Opened with a last event ID. */
  resumed: number
  /** Opened with an id in the opening block. */
  told: number
  /** Closed by the client with nothing but the opening block written, and of those, within a second. */
  bare: number
  early: number
  /** Opened with a Content-Encoding, by its name. */
  encodings: Record<string, number>
  /** Reconnects that came in bursts of a second, how many such seconds, and the most in one. */
  burst: { reconnects: number; seconds: number; peak: number }
}

class Generation {
  readonly start: number
  readonly closes = countsByReason()
  readonly ages = new Histogram()
  readonly silences = new Histogram()
  readonly sample = new Sample<Ending>()
  readonly encodings = new Map<string, number>()
  opened = 0
  resumed = 0
  told = 0
  bare = 0
  early = 0
  burst = { reconnects: 0, seconds: 0, peak: 0 }

  constructor(start: number) {
    this.start = start
  }
}

export class Lifetimes {
  readonly #ages = new Map<CloseReason, Histogram>()
  readonly #silences = new Map<CloseReason, Histogram>()
  readonly #bursts: Bursts
  #previous: Generation
  #current: Generation

  constructor(now: number) {
    this.#previous = new Generation(now)
    this.#current = new Generation(now)
    this.#bursts = new Bursts(now, ({ reconnects }) => {
      const { burst } = this.#current
      burst.reconnects += reconnects
      burst.seconds += 1
      burst.peak = Math.max(burst.peak, reconnects)
    })
  }

  opened({ resumed, told, encoding }: Opened, now: number): void {
    this.#turn(now)
    const current = this.#current
    current.opened += 1
    if (told) current.told += 1
    if (resumed) {
      current.resumed += 1
      this.#bursts.reconnected(now)
    }
    if (encoding !== undefined) {
      const { encodings } = current
      const name = encodings.has(encoding) || encodings.size < MOST_ENCODINGS ? encoding : 'other'
      encodings.set(name, (encodings.get(name) ?? 0) + 1)
    }
  }

  closed({ reason, age, silence, events }: Closed, now: number): void {
    this.#turn(now)
    histogramOf(this.#ages, reason).record(age, now)
    histogramOf(this.#silences, reason).record(silence, now)
    const current = this.#current
    current.closes[reason] += 1
    if (reason !== 'client') return
    current.ages.record(age, now)
    current.silences.record(silence, now)
    current.sample.add([age, silence, events])
    // Equal only when the one write was that of the opening block.
    if (events > 0 || age !== silence) return
    current.bare += 1
    if (age <= EARLY) current.early += 1
  }

  /** By close reason, since the hub was made. */
  summary(): Record<CloseReason, Lifetime> {
    const lifetime = (reason: CloseReason): Lifetime => ({
      count: this.#ages.get(reason)?.count ?? 0,
      age: this.#ages.get(reason)?.quantiles() ?? { ...NONE },
      silence: this.#silences.get(reason)?.quantiles() ?? { ...NONE },
    })
    return byReason(lifetime)
  }

  /** What the two generations hold. */
  evidence(now: number): Evidence {
    this.#turn(now)
    this.#bursts.advance(now)
    const one = this.#previous
    const other = this.#current
    const closes = byReason((reason) => one.closes[reason] + other.closes[reason])
    const encodings: Record<string, number> = Object.create(null)
    for (const [name, count] of [...one.encodings, ...other.encodings]) {
      encodings[name] = (encodings[name] ?? 0) + count
    }
    return {
      span: now - one.start,
      closes,
      ages: merged(one.ages.buckets(), other.ages.buckets()),
      silences: merged(one.silences.buckets(), other.silences.buckets()),
      endings: [...one.sample.items, ...other.sample.items],
      opened: one.opened + other.opened,
      resumed: one.resumed + other.resumed,
      told: one.told + other.told,
      bare: one.bare + other.bare,
      early: one.early + other.early,
      encodings,
      burst: {
        reconnects: one.burst.reconnects + other.burst.reconnects,
        seconds: one.burst.seconds + other.burst.seconds,
        peak: Math.max(one.burst.peak, other.burst.peak),
      },
    }
  }

  /** The generation that is full takes the place of the one before; both go when nothing happened for longer. */
  #turn(now: number): void {
    const generations = Math.floor((now - this.#current.start) / GENERATION)
    if (generations < 1) return
    const start = this.#current.start + generations * GENERATION
    this.#previous = generations === 1 ? this.#current : new Generation(start - GENERATION)
    this.#current = new Generation(start)
  }
}

function histogramOf(histograms: Map<CloseReason, Histogram>, reason: CloseReason): Histogram {
  const found = histograms.get(reason)
  if (found) return found
  const made = new Histogram()
  histograms.set(reason, made)
  return made
}

// What the clients of one process counted, in a form that is sent to the parent and added up there.

import { Histogram, type HistogramData } from './histogram.ts'

/** Plain counts; each is added to where the thing happens. */
const COUNTS = {
  /** Requests sent, redirects included. */
  attempts: 0,
  /** Streams opened: by the clients when they arrived, after a disconnection, after leaving by churn. */
  opened: 0,
  reopened: 0,
  returned: 0,
  /** Clients that an EventSource's rules forbid to come back, and the two reasons that are no status. */
  gaveUp: 0,
  wrongType: 0,
  redirectsRefused: 0,
  redirects: 0,
  events: 0,
  /** Of the events: those between the end of the ramp and the end of the run. */
  steadyEvents: 0,
  bytes: 0,
  comments: 0,
  /** Clients that left by churn. */
  left: 0,
  reconnects: 0,
  withLastEventId: 0,
  /** `retry` fields received. */
  retries: 0,
  /** Ids: events with one that tells its place, with one that does not, without, and seen before. */
  sequential: 0,
  opaque: 0,
  none: 0,
  duplicates: 0,
  missedOpen: 0,
  missedAway: 0,
  /** Processes in which there were too many ids to tell what was missed. */
  missedUnknown: 0,
  /** `gap` events, by which Sluice tells what is lost. */
  gapsTold: 0,
  /** Latency: events without a time, from before their stream, and from the future. */
  unstamped: 0,
  replayed: 0,
  fromFuture: 0,
  slowOpened: 0,
  slowLetGo: 0,
  slowBytes: 0,
  /** How things stood at the end. */
  openAtEnd: 0,
  unansweredAtEnd: 0,
  awayAtEnd: 0,
}

export type Counts = typeof COUNTS

export interface FiguresData {
  counts: Counts
  tallies: Record<keyof Figures['tallies'], Record<string, number>>
  times: Record<keyof Figures['times'], HistogramData>
  ages: number[]
  silences: number[]
  firstStart: number | null
  lastOpened: number | null
  retry: [number, number] | null
  lives: number
  steady: number
  cpuShare: number
  loopDelayP99: number
}

/** More disconnections than this in one process change no histogram. */
const MAX_CLOSES = 200_000

export class Figures {
  readonly counts: Counts = { ...COUNTS }
  readonly tallies = {
    statuses: {} as Record<string, number>,
    /** Why a connection was not made, by the system's code. */
    failures: {} as Record<string, number>,
    /** How streams ended that we did not end. */
    ends: {} as Record<string, number>,
    /** Reconnections by the second of the wall clock in which they were made. */
    reconnectsBySecond: {} as Record<string, number>,
  }
  readonly times = {
    connect: new Histogram(),
    headers: new Histogram(),
    firstByte: new Histogram(),
    latency: new Histogram(),
    away: new Histogram(),
  }
  /** Of streams that were ended by the other side: how long they had been open, and how long silent. Milliseconds. */
  readonly ages: number[] = []
  readonly silences: number[] = []
  /** Epoch milliseconds of the first start, and of the opening of the last of the clients as they arrived. */
  firstStart: number | null = null
  lastOpened: number | null = null
  /** The least and the greatest `retry` received. */
  retry: [number, number] | null = null
  lives = 0
  /** Milliseconds between the end of the ramp and the end of the run. */
  steady = 0
  /** Of one core, and in milliseconds: what the load cost this process. The worst of all, when merged. */
  cpuShare = 0
  loopDelayP99 = 0

  tally(name: keyof Figures['tallies'], key: string | number): void {
    this.tallies[name][key] = (this.tallies[name][key] ?? 0) + 1
  }

  close(age: number, silence: number): void {
    if (this.ages.length >= MAX_CLOSES) return
    this.ages.push(Math.round(age))
    this.silences.push(Math.round(silence))
  }

  gotRetry(ms: number): void {
    this.counts.retries += 1
    this.retry = span(this.retry, [ms, ms])
  }

  data(): FiguresData {
    const times = Object.entries(this.times).map(([name, histogram]) => [name, histogram.data()])
    return {
      counts: this.counts,
      tallies: this.tallies,
      times: Object.fromEntries(times),
      ages: this.ages,
      silences: this.silences,
      firstStart: this.firstStart,
      lastOpened: this.lastOpened,
      retry: this.retry,
      lives: this.lives,
      steady: this.steady,
      cpuShare: this.cpuShare,
      loopDelayP99: this.loopDelayP99,
    }
  }

  merge(other: FiguresData): void {
    add(this.counts, other.counts)
    for (const name of keys(this.tallies)) add(this.tallies[name], other.tallies[name])
    for (const name of keys(this.times)) this.times[name].merge(other.times[name])
    for (const age of other.ages) this.ages.push(age)
    for (const silence of other.silences) this.silences.push(silence)
    this.firstStart = span(both(this.firstStart), both(other.firstStart))?.[0] ?? null
    this.lastOpened = span(both(this.lastOpened), both(other.lastOpened))?.[1] ?? null
    this.retry = span(this.retry, other.retry)
    this.lives = Math.max(this.lives, other.lives)
    this.steady = Math.max(this.steady, other.steady)
    this.cpuShare = Math.max(this.cpuShare, other.cpuShare)
    this.loopDelayP99 = Math.max(this.loopDelayP99, other.loopDelayP99)
  }
}

function add(to: Record<string, number>, from: Record<string, number>): void {
  for (const [key, value] of Object.entries(from)) to[key] = (to[key] ?? 0) + value
}

function keys<T extends object>(object: T): (keyof T)[] {
  return Object.keys(object) as (keyof T)[]
}

function both(value: number | null): [number, number] | null {
  return value === null ? null : [value, value]
}

function span(a: [number, number] | null, b: [number, number] | null): [number, number] | null {
  if (!a || !b) return a ?? b
  return [Math.min(a[0], b[0]), Math.max(a[1], b[1])]
}

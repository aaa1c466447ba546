// Why did they disconnect? Rules that turn evidence into findings in plain words. Pure: the same evidence and settings
// give the same findings. What is not sure is not said.

import { moments } from './histogram.ts'
import { knownIdleTimeouts, knownMaximumDurations } from './known-timeouts.ts'
import { EARLY, type Ending, type Evidence } from './lifetimes.ts'
import { findPiles, type Pile } from './piles.ts'

export type Severity = 'info' | 'warning' | 'critical'

/** Every finding there is: how serious, and its title. `docs/diagnosis.md` is held against this table by a test. */
export const FINDINGS = Object.freeze({
  'held-back': ['critical', 'What is written does not reach the clients'],
  rejected: ['critical', 'Clients turn away at once'],
  'idle-timeout': ['warning', 'Something ends streams that are silent for too long'],
  stalls: ['warning', 'Clients read more slowly than is published'],
  compressed: ['warning', 'Streams are compressed'],
  storm: ['warning', 'Clients come back all at once'],
  'maximum-duration': ['info', 'Something ends every stream at one age'],
  vanished: ['info', 'Peers vanish without a word'],
} as const satisfies Record<string, readonly [Severity, string]>)

export type FindingCode = keyof typeof FINDINGS

/** One answer to "why did they disconnect?". */
export interface Finding {
  code: FindingCode
  severity: Severity
  title: string
  /** The figures it rests on: counts, shares from 0 to 1, and milliseconds (`…Ms`). */
  evidence: Record<string, number>
  /** What is seen, and what it means. */
  message: string
  /** What to set or change. */
  cure: string
}

/** What a diagnosis must know of the hub. */
export interface DiagnosisSettings {
  /** Milliseconds; `Infinity` for never. */
  readonly heartbeat: number
}

/** No finding about closes with fewer than these. */
const LEAST_CLOSES = 30
/** No finding about responses with fewer opened than these: what a response carries is no matter of chance. */
const LEAST_OPENED = 10
/** Of the ends that nobody asked for, how many must have one cause, and which share. Networks of phones stay below. */
const LEAST_OF_A_CAUSE = 20
const SHARE_OF_A_CAUSE = 0.25
/** Clients that turn away at once do so mostly, and hardly in the two seconds after. */
const REJECTED_SHARE = 0.5
const REJECTED_CONTRAST = 3
const LEAST_MOMENTS = 5
/** Two piles that differ by less are at one value. */
const SAME_VALUE = 0.05

const ORDER: readonly Severity[] = ['critical', 'warning', 'info']

/** The findings that the evidence supports, the gravest first; none when all is well or too little is known. */
export function diagnose(evidence: Evidence, settings: DiagnosisSettings): Finding[] {
  return [
    ...endsByThePeer(evidence, settings),
    ...rejected(evidence),
    ...endsOfACause(evidence),
    ...compressed(evidence),
    ...storm(evidence),
  ].sort((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity))
}

function finding(
  code: FindingCode,
  evidence: Record<string, number>,
  message: string,
  cure: string,
): Finding {
  const [severity, title] = FINDINGS[code]
  return { code, severity, title, evidence, message, cure }
}

// --- Piles -------------------------------------------------------------------------------------------------------

function endsByThePeer(evidence: Evidence, settings: DiagnosisSettings): Finding[] {
  if (evidence.closes.client < LEAST_CLOSES) return []
  const { ages, silences, untouched } = causes(evidence, settings)
  const heldBack = (pile: Pile): boolean => doNotArrive(evidence, pile)
  return [
    ...ages.map((pile) => (heldBack(pile) ? heldBackAt(evidence, pile) : maximumDuration(evidence, pile))),
    ...silences.map((pile) =>
      untouched.has(pile) && heldBack(pile)
        ? heldBackAt(evidence, pile)
        : idleTimeout(evidence, pile, settings),
    ),
  ]
}

/**
 * The piles that are causes. A connection that ended for its silence may have a typical age, too, and the other way
 * round. `untouched`: silences that are also ages, for nothing was written since the opening.
 */
function causes(evidence: Evidence, settings: DiagnosisSettings) {
  let ages = findPiles(evidence.ages)
  let silences = findPiles(evidence.silences)
  const untouched = new Set<Pile>()
  for (const age of [...ages]) {
    for (const silence of [...silences]) {
      const inAge = evidence.endings.filter(([one]) => within(age, one))
      const inSilence = evidence.endings.filter(([, one]) => within(silence, one))
      const both = inAge.filter(([, one]) => within(silence, one))
      // Two piles of different closes: two causes. What merely lies under a pile does not count.
      const shared = Math.min(inAge.length * purity(age), inSilence.length * purity(silence))
      if (both.length * 2 < shared) continue
      const same = Math.abs(age.value - silence.value) <= SAME_VALUE * silence.value
      if (isCausedByAge(age, silence, both, same, settings))
        silences = silences.filter((one) => one !== silence)
      else {
        ages = ages.filter((one) => one !== age)
        if (same) untouched.add(silence)
      }
    }
  }
  return { ages, silences, untouched }
}

/**
 * Of two piles of the same closes the cause is the one that has more of them, and of equal ones at one value the
 * silence: an idle timeout is likelier than a limit that nothing ever outlives. Otherwise those that had outlived the
 * silence between two heartbeats were not ended by the next; and else the narrower is the cause, for the other one is
 * the cause's time less whenever the last write came.
 */
function isCausedByAge(
  age: Pile,
  silence: Pile,
  both: readonly Ending[],
  same: boolean,
  { heartbeat }: DiagnosisSettings,
): boolean {
  if (age.excess > 1.5 * silence.excess) return true
  if (silence.excess > 1.5 * age.excess || same) return false
  // The hub's sweep is never earlier than this; what was written to a connection without events were heartbeats.
  const beat = heartbeat - Math.min(1_000, heartbeat / 10)
  const outlived = both.filter(([one, other, events]) => events === 0 && one - other >= beat)
  if (outlived.length * 2 > both.length) return true
  return spread(both.map(([one]) => one)) < 0.7 * spread(both.map(([, other]) => other))
}

function purity({ excess, count }: Pile): number {
  return excess / count
}

function within({ low, high }: Pile, value: number): boolean {
  return value >= low && value < high
}

/** The middle half's width. */
function spread(values: number[]): number {
  values.sort((a, b) => a - b)
  const at = (share: number): number => values[Math.floor(share * (values.length - 1))] ?? 0
  return at(0.75) - at(0.25)
}

/**
 * Whether clients come back as if they had received nothing: nearly all without a last event ID, although nearly all
 * were told one in their first block.
 */
function doNotArrive({ opened, resumed, told }: Evidence, { excess }: Pile): boolean {
  const fresh = opened - resumed
  const toldMost = told >= 0.8 * fresh
  const fewResume = resumed <= 0.05 * opened && resumed <= 0.25 * excess
  // Nobody who comes back says nothing.
  return toldMost && fewResume && fresh >= 0.5 * excess
}

function idleTimeout(evidence: Evidence, pile: Pile, { heartbeat }: DiagnosisSettings): Finding {
  const value = settled(pile.value)
  const cure = Math.floor(value / 2)
  const names = knownIdleTimeouts(value)
  const beats =
    heartbeat === Infinity
      ? 'Heartbeats are off.'
      : heartbeat > value / 2
        ? `The heartbeat of ${seconds(heartbeat)} is too long for that.`
        : `The heartbeat of ${seconds(heartbeat)} should have kept them: they were not written to in time, since their clients did not read or the event loop was held up; look at stats().stalls as well.`
  return finding(
    'idle-timeout',
    { ...figures(evidence, pile), heartbeatMs: cure },
    `${counted(evidence, pile)} came ${seconds(pile.value)} after the last byte written, whatever the age of the connection: an idle timeout of ${seconds(value)} on the way${hint(names)}. ${beats}`,
    `Set createHub({ heartbeat: ${cure} }), half of it (proxyIdleTimeout: ${value} does the same), or raise the timeout.`,
  )
}

function maximumDuration(evidence: Evidence, pile: Pile): Finding {
  const value = settled(pile.value)
  const maxAge = Math.floor(value * 0.9)
  const names = knownMaximumDurations(value)
  return finding(
    'maximum-duration',
    { ...figures(evidence, pile), maxAgeMs: maxAge },
    `${counted(evidence, pile)} came at an age of ${seconds(pile.value)}, however lately something was written: a maximum duration of ${seconds(value)} on the way${hint(names)}. Heartbeats do not help against it; clients that resume lose nothing by it.`,
    `Raise the limit, or set createHub({ maxAge: ${maxAge} }), so that the hub ends each stream itself before, in good order and spread over time.`,
  )
}

function heldBackAt(evidence: Evidence, pile: Pile): Finding {
  const { opened, resumed } = evidence
  const value = settled(pile.value)
  return finding(
    'held-back',
    { ...figures(evidence, pile), opened, resumed },
    `${counted(evidence, pile)} came at an age of ${seconds(pile.value)}, and of ${opened} streams opened only ${resumed} came with a Last-Event-ID, although the first block of each stream gives one: what is written is held back on the way, and the clients give up after ${seconds(value)}.`,
    `Switch buffering off for these responses (nginx: proxy_buffering off, or do not ignore X-Accel-Buffering; middleware: exclude text/event-stream from compression and caching). If your clients never send Last-Event-ID, since they are no EventSource or reload by themselves, it is a timeout of ${seconds(value)} instead: try createHub({ heartbeat: ${Math.floor(value / 2)} }).`,
  )
}

/** The figures of every pile. */
function figures({ closes }: Evidence, pile: Pile): Record<string, number> {
  const count = Math.round(pile.excess)
  return { closes: closes.client, count, share: share(count, closes.client), valueMs: Math.round(pile.value) }
}

function counted({ closes }: Evidence, pile: Pile): string {
  return `${Math.round(pile.excess)} of ${closes.client} closes by the peer`
}

function hint(names: readonly string[]): string {
  return names.length > 0 ? `; by its defaults that is ${names.join(', or ')}` : ''
}

// --- Counts ------------------------------------------------------------------------------------------------------

function rejected({ closes, early, ages }: Evidence): Finding[] {
  if (closes.client < LEAST_CLOSES || early < LEAST_CLOSES || early < REJECTED_SHARE * closes.client)
    return []
  let after = 0
  let atMoments = 0
  for (const bucket of ages) {
    if (bucket.max <= EARLY) atMoments += moments(bucket)
    else if (bucket.min > EARLY && bucket.max <= 3 * EARLY) after += bucket.count
  }
  // Who leaves at random early leaves in the seconds after, too; and one incident is no habit.
  if (early < REJECTED_CONTRAST * after || atMoments < LEAST_MOMENTS) return []
  return [
    finding(
      'rejected',
      { closes: closes.client, count: early, share: share(early, closes.client), valueMs: EARLY },
      `${early} of ${closes.client} closes by the peer came within a second of opening, before any event: the clients get the response and turn away. Browsers do so when CORS or the content type does not suit them, pages when a component is made anew again and again.`,
      "Look at the console of a client: for a page of another origin set connect()'s cors (with credentials where the EventSource has them); see that nothing in between changes Content-Type; in a component open the EventSource once and close it in its cleanup.",
    ),
  ]
}

function endsOfACause({ closes }: Evidence): Finding[] {
  const { client, stalled, overflow, dead, error } = closes
  const unasked = client + stalled + overflow + dead + error
  const isMuch = (count: number): boolean =>
    unasked >= LEAST_CLOSES && count >= LEAST_OF_A_CAUSE && count >= SHARE_OF_A_CAUSE * unasked
  const found: Finding[] = []
  const slow = stalled + overflow
  if (isMuch(slow)) {
    found.push(
      finding(
        'stalls',
        { closes: unasked, count: slow, share: share(slow, unasked), stalled, overflow },
        `${slow} of ${unasked} connections that ended unasked were too slow: ${stalled} took no write for stallTimeout, ${overflow} fell off the log of a channel with overflow 'disconnect'. More is published than they read.`,
        "Publish less to each (filter, fewer channels, smaller events), or let slow readers skip: overflow 'latest' with a key where only the newest counts, 'gap' where they can fetch the rest; a larger maxEvents and maxBytes bridges short hold-ups.",
      ),
    )
  }
  if (isMuch(dead)) {
    found.push(
      finding(
        'vanished',
        { closes: unasked, count: dead, share: share(dead, unasked) },
        `${dead} of ${unasked} connections that ended unasked were given up by the kernel: their peers vanished without a word, as phones that sleep or change networks do, and devices that forget connections.`,
        'With phones nothing is wrong. Otherwise look for a NAT or firewall that forgets silent connections: a shorter heartbeat keeps it awake, half of what it allows.',
      ),
    )
  }
  return found
}

function compressed({ encodings }: Evidence): Finding[] {
  const names = Object.entries(encodings).filter(([name]) => name !== 'identity')
  const count = names.reduce((all, [, opened]) => all + opened, 0)
  if (count < LEAST_OPENED) return []
  const list = names.map(([name, opened]) => `${name} ${opened}`).join(', ')
  return [
    finding(
      'compressed',
      { count },
      `${count} streams were opened with a Content-Encoding (${list}): a middleware compresses them. It holds events back unless it is flushed after each, and costs memory and time for every connection.`,
      'Exclude text/event-stream from compression (compression(): a filter that says no to it, or leave Cache-Control: no-transform as it is); if you want it, see that the response has flush(), which Sluice then calls.',
    ),
  ]
}

function storm({ burst, resumed }: Evidence): Finding[] {
  if (burst.seconds === 0) return []
  return [
    finding(
      'storm',
      {
        count: burst.reconnects,
        share: share(burst.reconnects, resumed),
        bursts: burst.seconds,
        peakPerSecond: burst.peak,
      },
      `${burst.reconnects} of ${resumed} reconnects came in ${burst.seconds} ${burst.seconds === 1 ? 'burst' : 'bursts'} of a second, ${burst.peak} in the largest: whatever cut the clients cut them together, and they come back together.`,
      'Give connect() a retry of its own for each client, such as 2_000 + Math.random() * 10_000; close with hub.close({ reconnectOver }); let maxAge end streams spread over time before something in front ends all of them.',
    ),
  ]
}

// --- Figures -----------------------------------------------------------------------------------------------------

function share(count: number, all: number): number {
  return all === 0 ? 0 : Math.round((count / all) * 1_000) / 1_000
}

/** The setting behind a measured value: people set whole seconds. */
function settled(ms: number): number {
  for (const step of [5_000, 1_000, 100]) {
    const round = Math.round(ms / step) * step
    if (Math.abs(ms - round) <= 0.015 * ms) return round
  }
  return Math.round(ms)
}

function seconds(ms: number): string {
  return `${Number((ms / 1_000).toPrecision(3))} s`
}

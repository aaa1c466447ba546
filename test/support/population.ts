// Made-up clients for the diagnosis: they come, are written to, and leave, each for its reason, from a seed. What a hub
// would record of them goes into Lifetimes in the order of time; nothing else is made up.

import type { CloseReason } from '../../src/core/close.ts'
import { Lifetimes } from '../../src/core/lifetimes.ts'
import { seeded } from './seeded.ts'

export class Dice {
  readonly random: () => number

  constructor(seed: number) {
    this.random = seeded(seed)
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.random()
  }

  /** Between them, every factor as likely as the other. */
  factor(low: number, high: number): number {
    return low * (high / low) ** this.random()
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.random())
  }

  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.random())) * Math.cos(2 * Math.PI * this.random())
  }

  logNormal(median: number, sigma: number): number {
    return median * Math.exp(sigma * this.normal())
  }

  chance(share: number): boolean {
    return this.random() < share
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.random() * items.length)] as T // within bounds, for none of the lists is empty
  }
}

export interface Life {
  dice: Dice
  clients: number
  /** Milliseconds that the hub is looked at. */
  span: number
  /** Heartbeat of the hub; `Infinity` for none. */
  heartbeat: number
  /** When a client leaves by itself, after its opening. */
  leaves: () => number
  /** Time from one event of a connection to its next; without, nothing is published. */
  events?: () => number
  /** Events that all connections get, every so many milliseconds. */
  broadcast?: number
  /** Ends a connection that is silent for so long. */
  idle?: () => number
  /** Ends a connection of that age. */
  limit?: () => number
  /** The part of the clients behind whatever `idle` and `limit` stand for. */
  behind?: number
  /** Time from an end that the client did not want to its return. */
  returns?: () => number
  /** Whether clients bring their last event ID when they return. */
  resume?: boolean
  /** The part of unwanted and wanted ends that has another reason. */
  reasons?: Partial<Record<CloseReason, number>>
  /** Moments at which everybody connected is cut. */
  cuts?: readonly number[]
  /** All open within so many milliseconds of the start; otherwise over the whole span. */
  arrive?: number
  encoding?: string
}

interface Step {
  at: number
  apply: (lifetimes: Lifetimes) => void
}

/** Lives a population and gives what was recorded of it, and until when. */
export function live(life: Life): { lifetimes: Lifetimes; now: number; closes: number } {
  const { dice, span } = life
  const steps: Step[] = []
  let closes = 0
  for (let n = 0; n < life.clients; n += 1) {
    let at = dice.between(0, life.arrive ?? span)
    let resumed = false
    const behind = dice.chance(life.behind ?? 1)
    while (at < span) {
      const opened = { resumed, told: true, encoding: life.encoding }
      const openedAt = at
      steps.push({ at: openedAt, apply: (to) => to.opened(opened, openedAt) })
      const end = endOf(life, openedAt, behind)
      if (end.at >= span) break
      const closed = {
        reason: reasonOf(life, dice),
        age: end.at - openedAt,
        silence: end.at - end.lastWrite,
        events: end.events,
        bytes: 100,
      }
      steps.push({ at: end.at, apply: (to) => to.closed(closed, end.at) })
      closes += 1
      resumed = !end.wanted && (life.resume ?? true)
      // Somebody else takes the place of one who left.
      at = end.at + (end.wanted ? dice.exponential(5_000) : (life.returns?.() ?? dice.between(2_900, 3_300)))
    }
  }
  steps.sort((a, b) => a.at - b.at)
  const lifetimes = new Lifetimes(0)
  for (const step of steps) step.apply(lifetimes)
  return { lifetimes, now: span, closes }
}

/** Writes go on until something ends the connection. */
function endOf(life: Life, openedAt: number, behind: boolean) {
  const { dice, heartbeat } = life
  const leavesAt = openedAt + life.leaves()
  const limitAt = behind && life.limit ? openedAt + life.limit() : Infinity
  const cutAt = life.cuts?.find((at) => at > openedAt) ?? Infinity
  // As the hub's sweep does it.
  const period = Math.max(5, Math.min(1_000, heartbeat / 10))
  let lastWrite = openedAt
  let events = 0
  let nextOwn = life.events ? openedAt + life.events() : Infinity
  for (;;) {
    const idleAt = behind && life.idle ? lastWrite + life.idle() : Infinity
    const at = Math.min(leavesAt, limitAt, idleAt, cutAt + dice.between(0, 300))
    const beat =
      heartbeat === Infinity ? Infinity : Math.ceil((lastWrite + heartbeat - period) / period) * period
    const shared = life.broadcast ? nextMultiple(life.broadcast, lastWrite) : Infinity
    const write = Math.min(beat, shared, nextOwn)
    if (write >= at) return { at, lastWrite, events, wanted: at === leavesAt }
    if (write !== beat) events += 1
    lastWrite = write
    if (write === nextOwn && life.events) nextOwn = write + life.events()
  }
}

/** The first multiple after `value`; in floating point the quotient may fall short of its whole number. */
function nextMultiple(step: number, value: number): number {
  const next = (Math.floor(value / step) + 1) * step
  return next > value ? next : next + step
}

function reasonOf({ reasons = {} }: Life, dice: Dice): CloseReason {
  let drawn = dice.random()
  for (const [reason, share] of Object.entries(reasons)) {
    drawn -= share
    if (drawn < 0) return reason as CloseReason // the keys of the option, by its type
  }
  return 'client'
}

// Piles in a histogram: many values at one place, where those to both sides say that few were to be expected. Chance
// makes none: whoever leaves at random leaves a density that neither rises nor falls much within a fifth of a value.

import { BUCKETS, type Bucket, boundOf, moments as momentsOf } from './histogram.ts'

/** A narrow peak, and what it stands for. Milliseconds. */
export interface Pile {
  /** Bounds: `low` belongs to it, `high` does not. */
  readonly low: number
  readonly high: number
  /** Values within the bounds. */
  readonly count: number
  /** Those of them that the density on either side does not explain. */
  readonly excess: number
  /** The mean of the values within the bounds. */
  readonly value: number
}

/** Below a second there are round trips and page loads, not timeouts. */
const LEAST_VALUE = 1_000
/** How many buckets of 2 % a pile may cover: ±3 % of its value may straddle one bound more. */
const WIDEST = 4
/** Buckets between a pile and what it is compared with: its own skirts. */
const SKIRT = 1
/** Buckets to each side that say what was to be expected: about a quarter of the value. */
const SIDE = 12
const LEAST_EXCESS = 20
/** Moments of a second. Fewer may be a few incidents that hit many at once, where silences agree since all were written to at once. */
const LEAST_MOMENTS = 5
/** How many times the density of the denser side a pile must have. A log-normal of a tenth stays below. */
const CONTRAST = 4
/** The share of all values that must pile up to be worth a word. */
const LEAST_SHARE = 0.05
/** The logarithm of the chance, given an even density, that is still taken for chance: 1e-8, for hundreds of places are looked at. */
const LOG_CHANCE = Math.log(1e-8)

interface Candidate extends Pile {
  readonly first: number
  readonly last: number
  readonly logChance: number
}

/** The piles among these values, the surest first, none overlapping. Linear in the number of buckets. */
export function findPiles(buckets: readonly Bucket[]): Pile[] {
  const sums = new Sums(buckets)
  const candidates: Candidate[] = []
  for (const { index } of buckets) {
    if (boundOf(index + 1) <= LEAST_VALUE) continue
    for (let width = 1; width <= WIDEST; width += 1) {
      // The last bucket has no upper bound, so no density.
      if (index + width >= BUCKETS) break
      const candidate = judge(sums, index, index + width)
      if (candidate) candidates.push(candidate)
    }
  }
  candidates.sort((a, b) => a.logChance - b.logChance)
  const found: Candidate[] = []
  for (const one of candidates) {
    const apart = found.every((other) => one.first > other.last + SKIRT || other.first > one.last + SKIRT)
    if (apart) found.push(one)
  }
  return found
}

/** The buckets from `first` up to `end`, which is excluded, if they are a pile. */
function judge(sums: Sums, first: number, end: number): Candidate | undefined {
  const count = sums.count(first, end)
  const moments = sums.moments(first, end)
  if (count < LEAST_EXCESS || count < LEAST_SHARE * sums.total || moments < LEAST_MOMENTS) return undefined
  const low = boundOf(first)
  const high = boundOf(end)
  let expected = 0
  let logChance = -Infinity
  for (const [from, to] of [
    [first - SKIRT - SIDE, first - SKIRT],
    [end + SKIRT, end + SKIRT + SIDE],
  ] as const) {
    const width = boundOf(to) - boundOf(from)
    const beside = sums.count(from, to)
    expected = Math.max(expected, (beside * (high - low)) / width)
    // Values of one moment have one cause and count as one. Scaling both sides alike keeps their ratio, which would
    // otherwise be lost where every second of the window has seen some.
    const weight = moments / count
    logChance = Math.max(
      logChance,
      logTail(moments, beside * Math.min(1, weight), (high - low) / (high - low + width)),
    )
  }
  const tooFew = count - expected < LEAST_EXCESS || count < CONTRAST * expected
  if (tooFew || logChance > LOG_CHANCE) return undefined
  return { ...whole(sums, first, end, expected / (high - low)), logChance }
}

/** A pile with what of it lies over its edges: the surest bounds are the narrowest, and a bound may well cut through. */
function whole(sums: Sums, first: number, end: number, density: number): Omit<Candidate, 'logChance'> {
  const expected = (from: number, to: number): number => density * (boundOf(to) - boundOf(from))
  const belongs = (index: number): boolean =>
    sums.count(index, index + 1) > CONTRAST * Math.max(1, expected(index, index + 1))
  const from = belongs(first - 1) ? first - 1 : first
  const to = belongs(end) ? end + 1 : end
  const count = sums.count(from, to)
  return {
    first: from,
    last: to - 1,
    low: boundOf(from),
    high: boundOf(to),
    count,
    excess: count - expected(from, to),
    value: sums.sum(from, to) / count,
  }
}

/**
 * An upper bound (Chernoff's) of the logarithm of the chance that, of `inside + beside` values each of which falls
 * inside with probability `share`, so many do.
 */
function logTail(inside: number, beside: number, share: number): number {
  const all = inside + beside
  const seen = inside / all
  if (seen <= share) return 0
  const rest = seen < 1 ? (1 - seen) * Math.log((1 - seen) / (1 - share)) : 0
  return -all * (seen * Math.log(seen / share) + rest)
}

/** What any few buckets hold together, without looking at all of them. */
class Sums {
  readonly #counts = new Float64Array(BUCKETS + 1)
  readonly #moments = new Float64Array(BUCKETS + 1)
  readonly #sums = new Float64Array(BUCKETS + 1)

  constructor(buckets: readonly Bucket[]) {
    for (const bucket of buckets) {
      this.#counts[bucket.index + 1] = bucket.count
      this.#moments[bucket.index + 1] = bucket.count * momentsOf(bucket)
      this.#sums[bucket.index + 1] = bucket.sum
    }
    for (const sums of [this.#counts, this.#moments, this.#sums]) {
      for (let index = 1; index <= BUCKETS; index += 1) sums[index] = at(sums, index) + at(sums, index - 1)
    }
  }

  get total(): number {
    return at(this.#counts, BUCKETS)
  }

  count(from: number, to: number): number {
    return at(this.#counts, to) - at(this.#counts, from)
  }

  /** The mean over the values, not the sum: what hits many at one moment may well spread over several buckets. */
  moments(from: number, to: number): number {
    const count = this.count(from, to)
    return count === 0 ? 0 : (at(this.#moments, to) - at(this.#moments, from)) / count
  }

  sum(from: number, to: number): number {
    return at(this.#sums, to) - at(this.#sums, from)
  }
}

function at(sums: Float64Array, index: number): number {
  return sums[Math.max(0, Math.min(BUCKETS, index))] ?? 0
}

// Times in classes that widen with the value: 64 to each doubling, so that any percentile is right within 1.6 %,
// whatever the range, in a few kilobytes that can be sent to another process and added up there.

export interface HistogramData {
  count: number
  sum: number
  min: number
  max: number
  /** Class and how many fell into it, in no order. */
  classes: [number, number][]
}

/** What is told of a distribution. Milliseconds; `null` where nothing was measured. */
export interface Summary {
  n: number
  mean: number | null
  p50: number | null
  p90: number | null
  p99: number | null
  p999: number | null
  max: number | null
}

/** Values below this (in microseconds) have a class of their own each. */
const EXACT = 128
const PER_DOUBLING = 64

export class Histogram {
  #count = 0
  #sum = 0
  #min = Number.POSITIVE_INFINITY
  #max = 0
  readonly #classes = new Map<number, number>()

  /** @param ms a time in milliseconds; below zero counts as zero */
  add(ms: number): void {
    const value = Math.max(ms, 0)
    this.#count += 1
    this.#sum += value
    if (value < this.#min) this.#min = value
    if (value > this.#max) this.#max = value
    const index = classOf(Math.round(value * 1_000))
    this.#classes.set(index, (this.#classes.get(index) ?? 0) + 1)
  }

  get count(): number {
    return this.#count
  }

  /** The time that `share` (0 to 1) of the values do not exceed. `NaN` without values. */
  percentile(share: number): number {
    if (this.#count === 0) return Number.NaN
    const rank = Math.max(1, Math.ceil(share * this.#count))
    let seen = 0
    for (const [index, count] of [...this.#classes].sort(([a], [b]) => a - b)) {
      seen += count
      if (seen >= rank) return Math.min(Math.max(middleOf(index) / 1_000, this.#min), this.#max)
    }
    return this.#max
  }

  summary(): Summary {
    const told = (value: number): number | null =>
      this.#count === 0 ? null : Math.round(value * 1_000) / 1_000
    return {
      n: this.#count,
      mean: told(this.#sum / this.#count),
      p50: told(this.percentile(0.5)),
      p90: told(this.percentile(0.9)),
      p99: told(this.percentile(0.99)),
      p999: told(this.percentile(0.999)),
      max: told(this.#max),
    }
  }

  data(): HistogramData {
    // Infinity does not survive JSON.
    const min = this.#count === 0 ? 0 : this.#min
    return { count: this.#count, sum: this.#sum, min, max: this.#max, classes: [...this.#classes] }
  }

  merge(other: HistogramData): void {
    if (other.count === 0) return
    this.#count += other.count
    this.#sum += other.sum
    this.#min = Math.min(this.#min, other.min)
    this.#max = Math.max(this.#max, other.max)
    for (const [index, count] of other.classes)
      this.#classes.set(index, (this.#classes.get(index) ?? 0) + count)
  }
}

function classOf(micros: number): number {
  if (micros < EXACT) return micros
  const doubling = Math.floor(Math.log2(micros))
  const within = Math.floor((micros / 2 ** doubling - 1) * PER_DOUBLING)
  return EXACT + (doubling - 7) * PER_DOUBLING + within
}

function middleOf(index: number): number {
  if (index < EXACT) return index
  const doubling = 7 + Math.floor((index - EXACT) / PER_DOUBLING)
  const within = (index - EXACT) % PER_DOUBLING
  return 2 ** doubling * (1 + (within + 0.5) / PER_DOUBLING)
}

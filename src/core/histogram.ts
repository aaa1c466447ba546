// Spans of time, counted in classes that grow with them: 2 % wide from a millisecond to a week, whatever comes. It
// knows nothing of what the spans mean.

/** How many times wider each bucket is than the one before. */
const GROWTH = 1.02
const PER_LOG = 1 / Math.log(GROWTH)
/** The last bucket begins at 1.02^1022 ms, some seven days, and takes everything longer. The first holds what is below 1 ms. */
export const BUCKETS = 1024
/** Buckets come into being in blocks of this many, so that a histogram of alike values costs a kilobyte or two; 56 KB is the most. */
const BLOCK = 32
/** The numbers kept per bucket: those of `Bucket`, and of the last moment when it began and how many it has. */
const FIELDS = 7
/** What is recorded within this many milliseconds of the moment's first counts as one moment. */
const MOMENT = 1_000

/** One bucket that holds something. Values in milliseconds. */
export interface Bucket {
  /** Its place: it takes values from `boundOf(index)` on, and less than `boundOf(index + 1)`. */
  index: number
  count: number
  sum: number
  /** The least and the greatest value in it, exactly. */
  min: number
  max: number
  /** The sum, over the moments of a second at which something was recorded in it, of their counts' squares: see `moments`. */
  squares: number
}

/** p50, p90 and p99 of what was recorded, in milliseconds, within 2 %; 0 when nothing was. */
export interface Quantiles {
  p50: number
  p90: number
  p99: number
}

/** The place of the bucket that takes `value`. */
export function indexOf(value: number): number {
  // Not `value < 1`: what is no number must not become an index either.
  if (!(value >= 1)) return 0
  return Math.min(BUCKETS - 1, 1 + Math.floor(Math.log(value) * PER_LOG))
}

/** The lower bound of a bucket, in milliseconds. */
export function boundOf(index: number): number {
  return index <= 0 ? 0 : GROWTH ** (index - 1)
}

export class Histogram {
  count = 0
  readonly #blocks: (Float64Array | undefined)[] = new Array(BUCKETS / BLOCK)

  /** @param at when it was seen, on the hub's clock */
  record(value: number, at: number): void {
    const index = indexOf(value)
    const block = this.#block(index)
    const place = (index % BLOCK) * FIELDS
    const count = block[place] ?? 0
    this.count += 1
    block[place] = count + 1
    block[place + 1] = (block[place + 1] ?? 0) + value
    block[place + 2] = count === 0 ? value : Math.min(block[place + 2] ?? value, value)
    block[place + 3] = count === 0 ? value : Math.max(block[place + 3] ?? value, value)
    if (count === 0 || at - (block[place + 5] ?? 0) >= MOMENT) {
      block[place + 5] = at
      block[place + 6] = 0
    }
    const before = block[place + 6] ?? 0
    block[place + 6] = before + 1
    block[place + 4] = (block[place + 4] ?? 0) + 2 * before + 1 // (n + 1)² is n² + 2n + 1
  }

  /** The buckets that hold something, the least first. */
  buckets(): Bucket[] {
    const found: Bucket[] = []
    this.#blocks.forEach((block, blockIndex) => {
      if (!block) return
      for (let within = 0; within < BLOCK; within += 1) {
        if (block[within * FIELDS] === 0) continue
        const [count = 0, sum = 0, min = 0, max = 0, squares = 0] = block.subarray(within * FIELDS)
        found.push({ index: blockIndex * BLOCK + within, count, sum, min, max, squares })
      }
    })
    return found
  }

  quantiles(): Quantiles {
    const buckets = this.buckets()
    return { p50: quantile(buckets, 0.5), p90: quantile(buckets, 0.9), p99: quantile(buckets, 0.99) }
  }

  #block(index: number): Float64Array {
    const place = Math.floor(index / BLOCK)
    const found = this.#blocks[place]
    if (found) return found
    const made = new Float64Array(BLOCK * FIELDS)
    this.#blocks[place] = made
    return made
  }
}

/**
 * At how many moments the values of a bucket were recorded, each weighed by its part: 1 when one moment has nearly
 * all of them, their number when all have as many. A thousand values of one moment have one cause, and prove as much.
 */
export function moments({ count, squares }: Pick<Bucket, 'count' | 'squares'>): number {
  return count === 0 ? 0 : (count * count) / squares
}

/** The value that a share of all values does not exceed: exact to the width of a bucket, and between its least and greatest. */
export function quantile(buckets: readonly Bucket[], share: number): number {
  const total = buckets.reduce((sum, { count }) => sum + count, 0)
  let rank = Math.max(1, Math.ceil(share * total))
  for (const { count, min, max } of buckets) {
    if (rank <= count) return count === 1 ? min : min + ((max - min) * (rank - 1)) / (count - 1)
    rank -= count
  }
  return 0
}

/** Two histograms' buckets as those of one. */
export function merged(one: readonly Bucket[], other: readonly Bucket[]): Bucket[] {
  const byIndex = new Map<number, Bucket>()
  for (const bucket of [...one, ...other]) {
    const before = byIndex.get(bucket.index)
    byIndex.set(
      bucket.index,
      before
        ? {
            index: bucket.index,
            count: before.count + bucket.count,
            sum: before.sum + bucket.sum,
            min: Math.min(before.min, bucket.min),
            max: Math.max(before.max, bucket.max),
            squares: before.squares + bucket.squares,
          }
        : bucket,
    )
  }
  return [...byIndex.values()].sort((a, b) => a.index - b.index)
}

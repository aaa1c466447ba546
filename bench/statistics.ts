// Medians with their spread, and percentiles of samples that are all kept.

export interface Spread {
  median: number
  min: number
  max: number
  n: number
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  const low = sorted[Math.floor(middle)] ?? Number.NaN
  const high = sorted[Math.ceil(middle)] ?? Number.NaN
  return {
    median: (low + high) / 2,
    min: sorted[0] ?? Number.NaN,
    max: sorted.at(-1) ?? Number.NaN,
    n: sorted.length,
  }
}

export function median(values: readonly number[]): number {
  return spread(values).median
}

/** The value that `share` (0 to 1) of the samples do not exceed. Sorts its argument. */
export function percentile(samples: Float64Array, share: number): number {
  if (samples.length === 0) return Number.NaN
  samples.sort()
  return samples[Math.max(0, Math.ceil(share * samples.length) - 1)] as number // inside: not empty
}

export interface Percentiles {
  p50: number
  p99: number
  p999: number
  max: number
}

export function percentiles(samples: Float64Array): Percentiles {
  const sorted = samples.sort()
  return {
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    p999: percentile(sorted, 0.999),
    max: percentile(sorted, 1),
  }
}

/** Samples without a box each. */
export class Samples {
  #values = new Float64Array(1_024)
  #length = 0

  add(value: number): void {
    if (this.#length === this.#values.length) {
      const grown = new Float64Array(this.#length * 2)
      grown.set(this.#values)
      this.#values = grown
    }
    this.#values[this.#length] = value
    this.#length += 1
  }

  /** What was added since the last call. */
  take(): Float64Array {
    const taken = this.#values.slice(0, this.#length)
    this.#length = 0
    return taken
  }
}

export function joined(parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0))
  let offset = 0
  for (const part of parts) {
    all.set(part, offset)
    offset += part.length
  }
  return all
}

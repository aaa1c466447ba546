// From values to pixels, and where an axis has its ticks.

export interface Scale {
  at(value: number): number
  ticks: number[]
}

/** From zero to a round number at or above `max`. */
export function linear(max: number, from: number, to: number, wanted = 5): Scale {
  const step = niceStep(Math.max(max, Number.MIN_VALUE) / wanted)
  const count = Math.max(1, Math.ceil(max / step - 1e-9))
  const top = count * step
  return {
    at: (value) => from + (value / top) * (to - from),
    // By multiplication: repeated addition would show 0.30000000000000004.
    ticks: Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(12))),
  }
}

/** Logarithmic, with ticks at 1, 2 and 5 of each power of ten, or at 1 only where there are many. */
export function logarithmic(min: number, max: number, from: number, to: number): Scale {
  const decades = Math.log10(max / min)
  const factors = decades > 3 ? [1] : [1, 2, 5]
  const all: number[] = []
  for (let power = Math.floor(Math.log10(min)) - 1; power <= Math.ceil(Math.log10(max)) + 1; power += 1) {
    for (const factor of factors) all.push(Number((factor * 10 ** power).toPrecision(6)))
  }
  const first = all.findLast((tick) => tick <= min * (1 + 1e-9)) ?? min
  const last = all.find((tick) => tick >= max * (1 - 1e-9) && tick > first) ?? max
  const low = Math.log10(first)
  const high = Math.log10(last)
  return {
    at: (value) => from + ((Math.log10(Math.max(value, first)) - low) / (high - low)) * (to - from),
    ticks: all.filter((tick) => tick >= first && tick <= last),
  }
}

function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough))
  const lead = rough / power
  return (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 2.5 ? 2.5 : lead <= 5 ? 5 : 10) * power
}

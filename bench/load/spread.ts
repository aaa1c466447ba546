// The times at which streams ended: in classes, and the one time at which they pile up, if there is one. A proxy that
// cuts idle streams, or long ones, shows as a pile.

export interface Spread {
  count: number
  /** Upper bounds of the classes in milliseconds; the last class has none. */
  bounds: number[]
  counts: number[]
  min: number | null
  median: number | null
  max: number | null
  pile: Pile | null
}

export interface Pile {
  /** Milliseconds, between which `count` of the times lie. */
  from: number
  to: number
  count: number
}

/** None of them is near a timeout that people set (5, 10, 15, 30, 55, 60, 75, 100, 120, 300, 350, 600, 900, 3600 s), which would split its pile in two. */
const BOUNDS: readonly number[] = Object.freeze(
  [
    0.1, 0.3, 0.7, 1.5, 3, 7, 12, 18, 25, 40, 50, 57, 68, 90, 110, 150, 250, 325, 450, 750, 1_500, 2_700,
    4_500,
  ].map((seconds) => seconds * 1_000),
)

/** How wide a pile may be: timers are late by some of this, sweeps of a proxy by the rest. */
const WIDTH = 250
const RELATIVE_WIDTH = 0.02
const LEAST = 5
const LEAST_SHARE = 0.3

export function spreadOf(times: readonly number[]): Spread {
  const sorted = Float64Array.from(times).sort()
  const counts = new Array<number>(BOUNDS.length + 1).fill(0)
  for (const time of sorted) {
    const index = BOUNDS.findIndex((bound) => time <= bound)
    const place = index === -1 ? BOUNDS.length : index
    counts[place] = (counts[place] ?? 0) + 1
  }
  return {
    count: sorted.length,
    bounds: [...BOUNDS],
    counts,
    min: sorted[0] ?? null,
    median: sorted[Math.floor((sorted.length - 1) / 2)] ?? null,
    max: sorted.at(-1) ?? null,
    pile: pileOf(sorted),
  }
}

/** The narrow stretch with the most of the sorted times. */
function pileOf(sorted: Float64Array): Pile | null {
  let best: Pile | null = null
  let last = 0
  for (let first = 0; first < sorted.length; first += 1) {
    const from = sorted[first] as number
    const end = from + Math.max(WIDTH, from * RELATIVE_WIDTH)
    while (last < sorted.length && (sorted[last] as number) <= end) last += 1
    if (!best || last - first > best.count)
      best = { from, to: sorted[last - 1] as number, count: last - first }
  }
  if (!best || best.count < LEAST || best.count < sorted.length * LEAST_SHARE) return null
  return best
}

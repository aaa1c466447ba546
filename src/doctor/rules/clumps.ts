// Blocks that arrived together, and whether they were made apart: what buffering looks like from the far end.

import type { BlockSeen } from '../observations.ts'
import { median } from '../text.ts'

/** Blocks closer than this arrived together: one read, or two of one write. */
const TOGETHER = 20
/** Events of one clump whose own times are so far apart were not sent together; a busy machine may do it once. */
const APART = 300
/** This no busy machine does. */
const FAR_APART = 1_000
/** Times in whole seconds are up to one off. */
const FAR_APART_IN_SECONDS = 2_000
/** How well the server's times must agree with ours to be taken for the times of sending. */
const AGREES = 0.3

/** Runs of blocks that arrived together. */
export function clumpsOf(blocks: readonly BlockSeen[]): BlockSeen[][] {
  const clumps: BlockSeen[][] = []
  let last: BlockSeen | undefined
  for (const block of blocks) {
    if (last && block.at - last.at < TOGETHER) clumps.at(-1)?.push(block)
    else clumps.push([block])
    last = block
  }
  return clumps
}

/** Heartbeats are for silence: two at one moment were sent at two. The first clump may be padding, or a replay. */
export function pairedHeartbeats(clumps: readonly BlockSeen[][]): { clumps: number; most: number } {
  const counts = clumps
    .slice(1)
    .map((clump) => clump.filter(({ heartbeat, fired }) => heartbeat && !fired).length)
  const paired = counts.filter((count) => count >= 2)
  return { clumps: paired.length, most: Math.max(0, ...paired) }
}

/**
 * The largest distance between the own times of events that arrived together, where those times are clearly the times
 * of sending: never running backwards, and from clump to clump as far apart as the arrivals.
 */
export function stampSpread(clumps: readonly BlockSeen[][]): { spread: number; events: number } | undefined {
  const stamped = clumps
    .slice(1)
    .map((clump) => clump.flatMap(({ stamp, at }) => (stamp === undefined ? [] : [{ stamp, at }])))
  const all = stamped.flat()
  if (all.some(({ stamp }, index) => index > 0 && stamp < (all[index - 1]?.stamp ?? 0))) return undefined
  const lasts = stamped.flatMap((clump) => clump.at(-1) ?? [])
  const first = lasts[0]
  const last = lasts.at(-1)
  if (!first || !last || first === last) return undefined
  const arrived = last.at - first.at
  if (Math.abs(last.stamp - first.stamp - arrived) > AGREES * arrived + FAR_APART) return undefined
  const coarse = all.every(({ stamp }) => stamp % 1_000 === 0)
  const wide = stamped
    .map((clump) => ({
      spread: (clump.at(-1)?.stamp ?? 0) - (clump[0]?.stamp ?? 0),
      events: clump.length,
    }))
    .filter(({ spread }) => spread >= (coarse ? FAR_APART_IN_SECONDS : APART))
    .sort((a, b) => b.spread - a.spread)
  const widest = wide[0]
  return wide.length >= 2 || (widest && widest.spread >= FAR_APART) ? widest : undefined
}

/** A block of which a part came, and the rest only after this: it was cut where a buffer was full. */
const HELD_PART = 200
/** Larger ones may be slow to travel. */
const SMALL = 32_768

/** Small blocks that came in two halves, and how long the first half waited. */
export function splitBlocks(blocks: readonly BlockSeen[]): number[] {
  return blocks.flatMap(({ begunAt, at, bytes }) =>
    bytes <= SMALL && at - begunAt >= HELD_PART ? [at - begunAt] : [],
  )
}

/** Regular clumps with silence between them, if that is what the stream is like. */
export function pattern(clumps: readonly BlockSeen[][]): { blocks: number; gap: number } | undefined {
  const blocks = median(clumps.slice(1).map(({ length }) => length)) ?? 0
  const gaps = clumps.slice(1).map((clump, index) => (clump[0]?.at ?? 0) - (clumps[index]?.at(-1)?.at ?? 0))
  const gap = median(gaps) ?? 0
  return clumps.length >= 3 && blocks >= 3 && gap >= 500 ? { blocks, gap } : undefined
}

// Where a new connection starts reading: live, at the oldest event, or after the last one that the client has seen.
// What the client says is untrusted; what it missed is told, never silently skipped.

import type { ChannelState } from './channel.ts'
import { describeGap, type Gap, type GapReason } from './gap.ts'
import { parseId } from './position.ts'

/** The last event ID a client came with. `undefined`: it brought none. `null`: one that cannot be read. */
export type RequestedId = string | null | undefined

/** What a client gets whose last event ID is not here any more. */
export type OnGap = 'live' | 'oldest' | 'refuse'

/**
 * How a resume went, as the `Sluice-Resume` header says it. `none`: none was asked for. `pending`: what was missed is being read
 * from the bus; it follows, or a gap does.
 */
export type ResumeOutcome = 'full' | 'gap' | 'none' | 'pending'

/** What a connection begins with. */
export interface Start {
  readonly outcome: ResumeOutcome
  readonly cursor: number
  /** Per channel: frames up to here are not read (see Subscription.since). */
  readonly since: readonly number[]
  readonly gaps: readonly Gap[]
  /** The client's last event ID may move to the cursor: nothing before it is still to come. */
  readonly settled: boolean
}

/** The longest last event ID that is looked at, in UTF-16 code units: what an id may have (128 bytes of UTF-8) and no more. */
const MAX_ID_LENGTH = 128

/** @param from where to start when the client brought no id: `'live'`, `'oldest'`, or an id. */
export function startOf(
  epoch: string,
  head: number,
  channels: readonly ChannelState[],
  requested: RequestedId,
  from: string | null,
  onGap: OnGap,
): Start {
  const id = requested === undefined && from !== 'live' && from !== 'oldest' ? from : requested
  if (id === undefined || channels.length === 0) {
    return from === 'oldest' ? oldest(channels, 'none', []) : live(head, channels, 'none', [])
  }
  const found = id === null ? 'unknown' : locate(epoch, head, channels, id)
  if (typeof found === 'string') {
    const gaps = channels.map(({ name, log }) => describeGap(found, name, readable(id), log))
    return onGap === 'oldest' ? oldest(channels, 'gap', gaps) : live(head, channels, 'gap', gaps)
  }
  return after(found, head, channels, readable(id), onGap)
}

/**
 * With a bus: the position after which these channels must be held before it can be said how the connection starts;
 * `undefined` when all that is needed is here.
 */
export function neededFrom(
  epoch: string,
  head: number,
  channels: readonly ChannelState[],
  requested: RequestedId,
  from: string | null,
): number | undefined {
  const id = requested === undefined && from !== 'live' && from !== 'oldest' ? from : requested
  let after = 0
  if (id === undefined) {
    if (from !== 'oldest') return undefined
  } else {
    if (id === null || id.length > MAX_ID_LENGTH) return undefined
    if (channels.some(({ log }) => log.find(id) !== undefined)) return undefined
    const parsed = parseId(epoch, id)
    if (parsed.kind === 'epoch') return undefined
    // A publisher's own id: the bus may have it.
    if (parsed.kind === 'here') after = parsed.sequence
    // Another process has served this client, and is ahead of us.
    if (after > head) return after
  }
  const cold = ({ log }: ChannelState): boolean =>
    log.lostThrough === log.coldBefore && log.coldBefore > after
  return channels.some(cold) ? after : undefined
}

/** Everything after `position`, except in channels that no longer hold it all. */
function after(
  position: number,
  head: number,
  channels: readonly ChannelState[],
  requested: string | null,
  onGap: OnGap,
): Start {
  const gaps: Gap[] = []
  const since = channels.map(({ name, log }) => {
    if (log.lostThrough <= position) return 0
    gaps.push(describeGap('evicted', name, requested, log))
    return onGap === 'oldest' ? log.lostThrough : head
  })
  return {
    outcome: gaps.length > 0 ? 'gap' : 'full',
    cursor: position,
    since,
    gaps,
    // Other channels may still have events to replay: the client's id must not run ahead of them.
    settled: gaps.length === channels.length && onGap !== 'oldest',
  }
}

function live(head: number, channels: readonly ChannelState[], outcome: ResumeOutcome, gaps: Gap[]): Start {
  return { outcome, cursor: head, since: channels.map(() => 0), gaps, settled: true }
}

function oldest(channels: readonly ChannelState[], outcome: ResumeOutcome, gaps: Gap[]): Start {
  return { outcome, cursor: 0, since: channels.map(({ log }) => log.lostThrough), gaps, settled: false }
}

/** The position that an id stands for in these channels, or why there is none. */
function locate(
  epoch: string,
  head: number,
  channels: readonly ChannelState[],
  id: string,
): number | GapReason {
  if (id.length > MAX_ID_LENGTH) return 'unknown'
  // A publisher's own id might be in several channels; to replay one event too many beats to lose one.
  let own: number | undefined
  for (const { log } of channels) {
    const position = log.find(id)
    if (position !== undefined && (own === undefined || position < own)) own = position
  }
  if (own !== undefined) return own
  const parsed = parseId(epoch, id)
  if (parsed.kind !== 'here') return parsed.kind
  // A position that this log has not reached was never given to anybody.
  return parsed.sequence <= head ? parsed.sequence : 'unknown'
}

/** What of a client's id is worth keeping, and repeating to it. */
export function readable(id: string | null): string | null {
  return id !== null && id.length <= MAX_ID_LENGTH ? id : null
}

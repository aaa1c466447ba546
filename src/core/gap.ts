// The event that tells a client what it will not see. Every loss goes through here; none is silent.

import { encodeText } from './event-stream/encode.ts'
import type { Log } from './log.ts'
import { mintId } from './position.ts'

/**
 * Why events are missing: `epoch` (the id is of an earlier life of the log), `evicted` (they are no longer kept),
 * `unknown` (nothing here has the id).
 */
export type GapReason = 'epoch' | 'evicted' | 'unknown'

/** The data of a gap event, as JSON. Ids are `null` where there is none. */
export interface Gap {
  reason: GapReason
  channel: string
  /** The id after which the client wanted to read on. */
  requested: string | null
  /** The oldest and newest event of the channel that the server holds. */
  oldest: string | null
  newest: string | null
}

export function describeGap(reason: GapReason, channel: string, requested: string | null, log: Log): Gap {
  return {
    reason,
    channel,
    requested,
    oldest: log.oldest?.event.id ?? null,
    newest: log.latest?.event.id ?? null,
  }
}

/** The encoded gap event; `id` moves the client's last event ID along, when nothing before that position is still to come. */
export function encodeGap(gap: Gap, id?: string): Uint8Array {
  return encodeText({ event: 'gap', id, data: JSON.stringify(gap) })
}

/** The gap of a reader that fell behind the oldest frame kept. */
export function evictedGap(epoch: string, channel: string, position: number, log: Log): Uint8Array {
  return encodeGap(describeGap('evicted', channel, mintId(epoch, position), log))
}

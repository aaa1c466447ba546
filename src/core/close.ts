// How a connection's life ends: the reasons, and what is known of it afterwards.

import { checkOneOf } from './check.ts'

/** Every connection ends exactly once, with one of these. */
export const CLOSE_REASONS = Object.freeze({
  client: 'The client left, or something between closed the connection.',
  stalled: 'The client stopped reading: a write was not taken for stallTimeout.',
  overflow: 'The client fell off the log of a channel whose overflow is disconnect.',
  dead: 'The kernel gave the peer up: it vanished without a word.',
  rotated: 'The connection reached its maxAge.',
  ended: 'Every channel it read has ended.',
  shutdown: 'The hub was closed.',
  closed: 'The application closed it, or the request was answered without opening a stream.',
  error: 'Writing failed for a reason of the server.',
})

export type CloseReason = keyof typeof CLOSE_REASONS

const REASONS = Object.keys(CLOSE_REASONS) as CloseReason[] // the keys of the table, by its type

/** @throws {SluiceError} SLUICE_BAD_OPTION */
export function closeReason(value: unknown): CloseReason {
  return checkOneOf('close reason', value, REASONS)
}

/** A count of zero for each reason. */
export function countsByReason(): Record<CloseReason, number> {
  const counts: Partial<Record<CloseReason, number>> = {}
  for (const reason of REASONS) counts[reason] = 0
  return counts as Record<CloseReason, number> // every reason was set just above
}

/** What is known of a connection that is over. */
export interface Closed {
  readonly reason: CloseReason
  /** Milliseconds from its opening to its end. */
  readonly age: number
  /** Milliseconds from the last write to its end. */
  readonly silence: number
  /** Events written to it. */
  readonly events: number
  /** Bytes of event stream written to it. */
  readonly bytes: number
}

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

/** Something for each reason. */
export function byReason<T>(make: (reason: CloseReason) => T): Record<CloseReason, T> {
  const made: Partial<Record<CloseReason, T>> = {}
  for (const reason of REASONS) made[reason] = make(reason)
  return made as Record<CloseReason, T> // every reason was set just above
}

/** A count of zero for each reason. */
export function countsByReason(): Record<CloseReason, number> {
  return byReason(() => 0)
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

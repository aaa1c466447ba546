// What an iteration gives: events as they were decoded, their data parsed, and Sluice's gaps made out among them.

import { SluiceError, shown } from '../core/errors.ts'
import type { DecodedEvent } from '../core/event-stream/decode.ts'
import type { Gap, GapReason } from '../core/gap.ts'
import type { Parse } from './options.ts'

/** An event as it arrived. */
export interface ReceivedEvent<Name extends string = string, Data = string> {
  /** Its name; `'message'` where the stream gave none. */
  readonly event: Name
  /** As the option `parse` makes it; the text as it came by default. */
  readonly data: Data
  /** The last event ID at this event: store it with what you made of the event, to go on from there another time. */
  readonly lastEventId: string
  /** Only a gap has one. */
  readonly gap?: undefined
}

/** Sluice says that events are missing here. What this client has kept of the channel's state is stale. */
export interface GapEvent {
  readonly event: 'gap'
  /** As it came, never parsed. */
  readonly data: string
  readonly lastEventId: string
  readonly gap: Gap
}

/** The last event of a Sluice channel, as `channel.end()` sends it. Give `Events` an `end` to say what its data is. */
export type EndEvent = ReceivedEvent<'end', unknown>

/** What an iteration gives: one of `Events`, or a gap. */
export type StreamEvent<Events = Record<string, string>> =
  | { [Name in keyof Events & string]: ReceivedEvent<Name, Events[Name]> }[keyof Events & string]
  | GapEvent
  | ('end' extends keyof Events ? never : EndEvent)

const REASONS: readonly GapReason[] = ['epoch', 'evicted', 'unknown']

/** The gap that an event tells, if it is one of Sluice's: other servers may call events `gap`, too. */
export function gapOf({ event, data }: DecodedEvent): Gap | undefined {
  if (event !== 'gap') return undefined
  let value: unknown
  try {
    value = JSON.parse(data)
  } catch {
    return undefined
  }
  return isGap(value) ? value : undefined
}

function isGap(value: unknown): value is Gap {
  if (typeof value !== 'object' || value === null) return false
  const { reason, channel, requested, oldest, newest } = value as Partial<Record<keyof Gap, unknown>> // to be tested
  return (
    REASONS.some((one) => one === reason) &&
    typeof channel === 'string' &&
    [requested, oldest, newest].every((id) => id === null || typeof id === 'string')
  )
}

/** @throws {SluiceError} SLUICE_UNPARSABLE, with what the parser threw as its cause */
export function parseData({ event, data }: DecodedEvent, parse: 'json' | 'text' | Parse): unknown {
  // Empty data is no JSON, and what `channel.end()` sends.
  if (parse === 'text' || (parse === 'json' && data === '')) return data
  try {
    return parse === 'json' ? JSON.parse(data) : parse(data, event)
  } catch (cause) {
    throw new SluiceError(
      'SLUICE_UNPARSABLE',
      `The data of an event ${shown(event)} is ${shown(data)}, which ${
        parse === 'json' ? 'is not JSON' : 'the parse function threw for'
      }; give a parse function that takes what this server sends.`,
      { cause },
    )
  }
}

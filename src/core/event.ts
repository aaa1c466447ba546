// An event as the application gives it: checked, and turned into the bytes of its frame.

import { SluiceError } from './errors.ts'
import { checkEvent, type EventInput, encodeText, serializeData } from './event-stream/encode.ts'

export interface EncodingSettings {
  readonly serialize: (data: unknown) => string
  readonly maxEventBytes: number
}

/**
 * What an application may publish or send.
 *
 * @throws {SluiceError} SLUICE_BAD_EVENT, SLUICE_BAD_KEY; what the fields hold is checked when they are encoded
 */
export function checkSendable(input: EventInput): EventInput {
  const { event, data, id, retry, comment } = checkEvent(input)
  // Asked here already, for a channel's events get an id and would never be empty.
  if ([event, data, id, retry, comment].every((field) => field === undefined)) {
    throw new SluiceError(
      'SLUICE_BAD_EVENT',
      'The event has nothing to send; give it at least one of event, data, id, retry, comment.',
    )
  }
  return input
}

/** The bytes of `event` under `id`. @throws {SluiceError} for a field that cannot be encoded */
export function encodeEvent(
  { event, data, retry, comment }: EventInput,
  id: string | undefined,
  { serialize, maxEventBytes }: EncodingSettings,
): Uint8Array {
  return encodeText({ event, id, data: serializeData(data, serialize), retry, comment }, maxEventBytes)
}

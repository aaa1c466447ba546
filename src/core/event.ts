// An event as the application gives it: checked, and turned into the bytes of its frame.

import { SluiceError, shown } from './errors.ts'
import { type EventInput, encodeText, serializeData } from './event-stream/encode.ts'

export interface EncodingSettings {
  readonly serialize: (data: unknown) => string
  readonly maxEventBytes: number
}

/**
 * What an application may publish or send.
 *
 * @throws {SluiceError} SLUICE_BAD_EVENT, SLUICE_BAD_KEY; what the fields hold is checked when they are encoded
 */
export function checkEvent(event: EventInput): EventInput {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) {
    throw new SluiceError(
      'SLUICE_BAD_EVENT',
      `${shown(event)} is not an event; pass an object such as { data: … }.`,
    )
  }
  const { event: name, data, id, retry, comment, key } = event
  if ([name, data, id, retry, comment].every((field) => field === undefined)) {
    throw new SluiceError(
      'SLUICE_BAD_EVENT',
      'The event is empty; give it at least one of event, data, id, retry, comment.',
    )
  }
  if (key !== undefined && typeof key !== 'string') {
    throw new SluiceError('SLUICE_BAD_KEY', `key is ${shown(key)}; it must be a string.`)
  }
  return event
}

/** The bytes of `event` under `id`. @throws {SluiceError} for a field that cannot be encoded */
export function encodeEvent(
  { event, data, retry, comment }: EventInput,
  id: string | undefined,
  { serialize, maxEventBytes }: EncodingSettings,
): Uint8Array {
  return encodeText({ event, id, data: serializeData(data, serialize), retry, comment }, maxEventBytes)
}

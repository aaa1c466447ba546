// What an application may publish or send, on top of what the codec asks of any event.

import { SluiceError } from './errors.ts'
import { checkEvent, type EventInput } from './event-stream/encode.ts'

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

// What can go into a request's headers. Asked when a stream is made, and again where a function or a server gave it.

import { SluiceError, shown } from '../core/errors.ts'

/** @throws {SluiceError} SLUICE_BAD_HEADER, with what the platform says as its cause */
export function checkHeaders(headers: HeadersInit): Headers {
  try {
    return new Headers(headers)
  } catch (cause) {
    throw new SluiceError(
      'SLUICE_BAD_HEADER',
      `headers (${shown(headers)}) cannot be sent: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    )
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
const UNSENDABLE = /[\x00-\x08\x0a-\x1f\x7f]/

/**
 * Whether an id can come back to its server in a header. Some that decode cannot (RFC 9110, section 5.5), and to leave
 * one out would lose events without a word.
 *
 * @throws {SluiceError} SLUICE_BAD_ID
 */
export function checkSendableId(id: string): string {
  if (UNSENDABLE.test(id)) {
    throw new SluiceError(
      'SLUICE_BAD_ID',
      `The last event ID is ${shown(id)}; with its control characters it cannot go into a header. The server must give others.`,
    )
  }
  return id
}

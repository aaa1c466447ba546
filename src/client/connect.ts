// The function that clients call. The stream does the work; here are only its types.

import { type EventStreamOptions, type Parse, streamSettings } from './options.ts'
import { type EventStream, Stream } from './stream.ts'

/**
 * Opens an event stream and keeps it open: whenever it breaks, it is opened again after a while, with `Last-Event-ID`.
 *
 *     for await (const event of connect('https://example.com/prices')) console.log(event.event, event.data)
 *
 * It connects at once, whether or not somebody iterates. The iteration ends normally when the server has nothing left
 * to say (204, the end of a Sluice channel) and after `close()`; leaving it (`break`, `return`, a throw) closes the
 * stream. It throws what is final: a `SluiceError`, what one of your hooks threw, the reason of your `signal`.
 *
 * `Events` gives the data of each event by name, as `parse` makes it, so that `event.event === 'tick'` narrows
 * `event.data`. That is a promise of yours; names that are not in it arrive as well.
 *
 * @param url absolute, or relative to the page
 * @throws {SluiceError} SLUICE_BAD_OPTION, SLUICE_BAD_HEADER, SLUICE_BAD_ID
 */
export function connect<Events extends Record<keyof Events, string> = Record<string, string>>(
  url: string | URL,
  options?: EventStreamOptions & { parse?: 'text' | undefined },
): EventStream<Events>
export function connect<Events extends Record<keyof Events, unknown> = Record<string, unknown>>(
  url: string | URL,
  options: EventStreamOptions & { parse: 'json' | Parse },
): EventStream<Events>
/** For options whose `parse` is not known to the types. */
export function connect(url: string | URL, options: EventStreamOptions): EventStream<Record<string, unknown>>
export function connect<Events>(url: string | URL, options: EventStreamOptions = {}): EventStream<Events> {
  return new Stream<Events>(streamSettings(url, options))
}

// The decoder as a web TransformStream: bytes in, events out. All it adds to `createDecoder` is the plumbing.

import { createDecoder, type DecodedEvent, type Decoder, type DecoderOptions } from './decode.ts'

/**
 * Turns the bytes of an event stream into events.
 *
 *     const response = await fetch(url)
 *     for await (const { event, data } of response.body.pipeThrough(new EventStreamDecoder())) …
 *
 * Takes the options of `createDecoder`. Where that throws while it decodes (an overflow, a callback), the stream errors.
 *
 * @throws {SluiceError} SLUICE_BAD_OPTION
 */
export class EventStreamDecoder extends TransformStream<Uint8Array, DecodedEvent> {
  readonly #decoder: Decoder

  constructor(options?: DecoderOptions) {
    let controller: TransformStreamDefaultController<DecodedEvent>
    const decoder = createDecoder((event) => controller.enqueue(event), options)
    super({
      start(given) {
        controller = given
      },
      transform: (bytes) => decoder.write(bytes),
      flush: () => decoder.end(),
    })
    this.#decoder = decoder
  }

  /** What to send as `Last-Event-ID`: the last event ID as of the last complete block decoded. */
  get lastEventId(): string {
    return this.#decoder.lastEventId
  }

  /** The reconnection time in milliseconds that the stream last asked for, if it did. */
  get retry(): number | undefined {
    return this.#decoder.retry
  }
}

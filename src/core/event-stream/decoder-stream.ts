// The decoder as a TransformStream, for readers of web streams. The decoding itself is next door.

import { createDecoder, type DecodedEvent, type DecoderOptions } from './decode.ts'

/**
 * Bytes in, events out.
 *
 * @example
 * const response = await fetch(url)
 * for await (const event of response.body.pipeThrough(new EventStreamDecoder())) …
 *
 * Its readable side fails with what `Decoder.write` throws.
 */
export class EventStreamDecoder extends TransformStream<Uint8Array, DecodedEvent> {
  /** @throws {SluiceError} SLUICE_BAD_OPTION */
  constructor(options: DecoderOptions = {}) {
    let forward: (event: DecodedEvent) => void = () => {}
    const decoder = createDecoder((event) => forward(event), options)
    super({
      start(controller) {
        forward = (event) => controller.enqueue(event)
      },
      transform: (bytes) => decoder.write(bytes),
      flush: () => decoder.end(),
    })
  }
}

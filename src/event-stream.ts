// The door for the codec alone: `sluice/event-stream`. Exports only.

export { type ErrorCode, SluiceError } from './core/errors.ts'
export {
  createDecoder,
  type DecodedEvent,
  type Decoder,
  type DecoderOptions,
} from './core/event-stream/decode.ts'
export { EventStreamDecoder } from './core/event-stream/decoder-stream.ts'
export { type EncodeOptions, type EventInput, encode } from './core/event-stream/encode.ts'

// The door to the codec alone, for servers and clients that bring their own transport. Exports only.

export { type ErrorCode, SluiceError } from './core/errors.ts'
export {
  createDecoder,
  DECODE_DEFAULTS,
  type DecodedEvent,
  type Decoder,
  type DecoderOptions,
} from './core/event-stream/decode.ts'
export { EventStreamDecoder } from './core/event-stream/decoder-stream.ts'
export { ENCODE_DEFAULTS, type EncodeOptions, type EventInput, encode } from './core/event-stream/encode.ts'

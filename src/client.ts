// The door for clients: connect, on any platform with fetch. Exports only.

export type { Retry } from './client/backoff.ts'
export { connect } from './client/connect.ts'
export type { EndEvent, GapEvent, ReceivedEvent, StreamEvent } from './client/events.ts'
export { CLIENT_DEFAULTS, type EventStreamOptions, type Parse } from './client/options.ts'
export type { Refusal, ResponseInfo } from './client/response.ts'
export type { EventStream, StreamState } from './client/stream.ts'
export { type ErrorCode, SluiceError } from './core/errors.ts'
export type { Gap, GapReason } from './core/gap.ts'
export type { EventsOf } from './core/typed.ts'

// What every door of a hub exports besides the hub itself.

export type { RefusalReason } from './admission.ts'
export type { ChannelOptions, Overflow } from './channel.ts'
export type { Clock } from './clock.ts'
export { CLOSE_REASONS, type Closed, type CloseReason } from './close.ts'
export type { ConnectionInfo, Lag } from './connection-info.ts'
export type { CorsOptions } from './cors.ts'
export type { Filter } from './cursor.ts'
export type { Finding, FindingCode, Severity } from './diagnosis.ts'
export { type ErrorCode, SluiceError } from './errors.ts'
export type { EventInput } from './event-stream/encode.ts'
export type { PublishedEvent } from './frame.ts'
export type { Gap, GapReason } from './gap.ts'
export type { Quantiles } from './histogram.ts'
export type { ErrorContext, HubEvents } from './hub.ts'
export type { HubOptions } from './hub-options.ts'
export type { Lifetime } from './lifetimes.ts'
export type { LimitOptions } from './limits.ts'
export type { RefusalForm } from './opening.ts'
export type { PipeItem, PipeSource } from './pipe.ts'
export type { OnGap } from './resume.ts'
export type { CloseCounts, CloseOptions } from './shutdown.ts'
export type { Stats } from './stats.ts'
export type {
  AnyChannels,
  AnyEvents,
  ChannelName,
  EventsOf,
  TypedChannel as Channel,
  TypedEvent,
  TypedPublished,
} from './typed.ts'
export type { TypedConnection as Connection } from './typed-hub.ts'
export type { VariantTransform } from './variants.ts'

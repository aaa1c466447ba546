// What a hub says of itself while it runs, to whoever watches it from outside (node:diagnostics_channel on Node).
// Whoever implements it must be quick and must not throw: it is called on the hot path.

import type { Refusal } from './admission.ts'
import type { Closed } from './close.ts'
import type { Connection } from './connection.ts'

export interface Telemetry {
  opened(connection: Connection): void
  closed(connection: Connection, closed: Closed): void
  refused(refusal: Refusal & { form: 'status' | 'retry'; key: string | undefined }): void
  published(channel: string, id: string, bytes: number): void
  wrote(connection: Connection, events: number, bytes: number): void
  /** Gaps told to a client. */
  gaps(count: number): void
  stalled(connection: Connection): void
  overloaded(overloaded: boolean): void
}

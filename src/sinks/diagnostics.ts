// What a hub says of itself, as messages of node:diagnostics_channel. Each is made only when somebody listens.

import { channel } from 'node:diagnostics_channel'
import type { RefusalReason } from '../core/admission.ts'
import type { Closed } from '../core/close.ts'
import type { PublicConnection } from '../core/connection.ts'
import type { Telemetry } from '../core/telemetry.ts'

/** The messages by the name of their channel. Durations are milliseconds, sizes are bytes. */
export interface DiagnosticsMessages {
  'sluice:connection:open': { connection: PublicConnection }
  'sluice:connection:close': { connection: PublicConnection; closed: Closed }
  /** `form`: how it was told; `after`: when the client may come back. */
  'sluice:connection:refuse': {
    reason: RefusalReason
    form: 'status' | 'retry'
    after: number
    key: string | undefined
  }
  /** A write was not taken since the sweep before. */
  'sluice:connection:stall': { connection: PublicConnection }
  /** One write to one connection: how many events it carries (0 for a heartbeat), and its bytes. */
  'sluice:connection:write': { connection: PublicConnection; events: number; bytes: number }
  'sluice:gap': { count: number }
  'sluice:publish': { channel: string; id: string; bytes: number }
  'sluice:overload': { overloaded: boolean }
}

const open = channel('sluice:connection:open')
const close = channel('sluice:connection:close')
const refuse = channel('sluice:connection:refuse')
const stall = channel('sluice:connection:stall')
const write = channel('sluice:connection:write')
const gap = channel('sluice:gap')
const publish = channel('sluice:publish')
const overload = channel('sluice:overload')

export const diagnostics: Telemetry = {
  opened(connection) {
    if (open.hasSubscribers) open.publish({ connection })
  },
  closed(connection, closed) {
    if (close.hasSubscribers) close.publish({ connection, closed })
  },
  refused(refusal) {
    if (refuse.hasSubscribers) refuse.publish({ ...refusal })
  },
  stalled(connection) {
    if (stall.hasSubscribers) stall.publish({ connection })
  },
  wrote(connection, events, bytes) {
    if (write.hasSubscribers) write.publish({ connection, events, bytes })
  },
  gaps(count) {
    if (gap.hasSubscribers) gap.publish({ count })
  },
  published(name, id, bytes) {
    if (publish.hasSubscribers) publish.publish({ channel: name, id, bytes })
  },
  overloaded(overloaded) {
    if (overload.hasSubscribers) overload.publish({ overloaded })
  },
}

// better-sse with its documented batching: the events at hand go into one event buffer, which every session of the
// channel is given.

import { createEventBuffer } from 'better-sse'
import { startChannel } from './better-sse.ts'
import type { Peer } from './peer.ts'

export function start(): Promise<Peer> {
  return startChannel((channel, events) => {
    const buffer = createEventBuffer()
    for (const { id, data } of events) buffer.push(data, 'message', String(id))
    for (const session of channel.activeSessions) void session.batch(buffer)
  })
}

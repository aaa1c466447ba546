// The names of visitors' events. A browser's EventSource hears only the event names it was asked to listen for, and
// visitors make theirs up. So a name is announced on a channel of its own before its first event; events of all
// channels arrive in the order in which they were published, so the page listens in time.

import type { Channel } from '../../../src/index.ts'
import { HttpError } from './http.ts'

const MAX_NAMES = 200
const MAX_LENGTH = 100

/** What the lab itself, and Sluice, send: an event of a visitor must not pass for one of these. */
const RESERVED: ReadonlySet<string> = new Set([
  'figures',
  'hello',
  'gap',
  'end',
  'line',
  'follow',
  'note',
  'name',
  'closes',
  'crowd',
  'health',
  'trial',
])

export interface Names {
  /** @throws {HttpError} 400 for a name that cannot be taken; what is not a name at all is left to the hub to refuse. */
  announce(name: unknown): void
}

export function createNames(channel: Channel): Names {
  const known = new Set(['', 'message'])
  return {
    announce(name) {
      if (typeof name !== 'string' || known.has(name) || /[\r\n]/.test(name)) return
      if (RESERVED.has(name)) {
        throw new HttpError(
          400,
          'LAB_RESERVED_NAME',
          `The lab itself sends "${name}" events; use another name.`,
        )
      }
      if (name.length > MAX_LENGTH) {
        throw new HttpError(400, 'LAB_LONG_NAME', `An event name here is at most ${MAX_LENGTH} characters.`)
      }
      if (known.size >= MAX_NAMES) {
        throw new HttpError(
          400,
          'LAB_MANY_NAMES',
          'The lab knows enough event names by now; use one of those.',
        )
      }
      known.add(name)
      channel.publish({ event: 'name', data: name })
    },
  }
}

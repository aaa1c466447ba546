// Whether the client at the other end of an HTTP/2 session is still there. node:http2 keeps its socket to itself, so TCP
// keep-alive cannot be armed from here; a PING (RFC 9113, section 6.7) that is never answered says the same.
//
// It needs no timer: heartbeats come by themselves, and each is an occasion to ask and to look.

import type { Http2Session } from 'node:http2'

/** Silence before a write that makes it worth asking. A session that is busy may hold much that lies in front of a PING. */
const QUIET = 5_000
/** How long an answer may take: less than a heartbeat usually lasts, so that the next one finds out. */
const PATIENCE = 15_000

export class Pulse {
  /** The session was given up, for its client has vanished. */
  dead = false
  readonly #session: Http2Session
  #wroteAt = Number.NEGATIVE_INFINITY
  #askedAt: number | undefined

  constructor(session: Http2Session) {
    this.#session = session
  }

  /** Something was written to one of the session's streams. */
  wrote(now: number = performance.now()): void {
    const quiet = now - this.#wroteAt
    this.#wroteAt = now
    if (this.#askedAt === undefined) {
      if (quiet >= QUIET) this.#ask(now)
    } else if (now - this.#askedAt >= PATIENCE) {
      // The event loop may have been held up, and the answer lie unread: two turns read it.
      setImmediate(() => setImmediate(() => this.#giveUp()))
    }
  }

  #ask(now: number): void {
    if (this.#session.destroyed || this.#session.closed) return
    this.#askedAt = now
    this.#session.ping(() => {
      this.#askedAt = undefined
    })
  }

  #giveUp(): void {
    if (this.#askedAt === undefined || this.#session.destroyed) return
    this.dead = true
    this.#session.destroy()
  }
}

const pulses = new WeakMap<Http2Session, Pulse>()

/** One for all streams of a session. */
export function pulseOf(session: Http2Session): Pulse {
  let pulse = pulses.get(session)
  if (!pulse) {
    pulse = new Pulse(session)
    pulses.set(session, pulse)
  }
  return pulse
}

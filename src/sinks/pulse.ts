// Whether the client at the other end of an HTTP/2 session is still there. node:http2 keeps its socket to itself, so TCP
// keep-alive cannot be armed from here; a PING (RFC 9113, section 6.7) that is never answered says the same.
//
// It needs no timer: heartbeats come by themselves, and each is an occasion to ask and to look.

import type { Http2Session } from 'node:http2'

/** How often it is asked at the most, in milliseconds. */
const BETWEEN = 12_000
/** How long an answer may take: less than a heartbeat usually lasts, so that the next one finds out. */
const PATIENCE = 15_000
/** … and longer by what may lie in front of the question, on a line as slow as this, in bytes per millisecond. */
const SLOWEST = 16

export class Pulse {
  /** The session was given up, for its client has vanished. */
  dead = false
  readonly #session: Http2Session
  #written = 0
  /** What was written before the last question that was answered: the client has had all of it. */
  #proven = 0
  #asked: { readonly at: number; readonly written: number } | undefined
  #last = Number.NEGATIVE_INFINITY

  constructor(session: Http2Session) {
    this.#session = session
  }

  /** Something was written to one of the session's streams. */
  wrote(bytes: number, now: number = performance.now()): void {
    this.#written += bytes
    if (!this.#asked) {
      if (now - this.#last >= BETWEEN) this.#ask(now)
      return
    }
    const { at, written } = this.#asked
    if (now - at >= PATIENCE + (written - this.#proven) / SLOWEST) {
      // The event loop may have been held up, and the answer lie unread: two turns read it.
      setImmediate(() => setImmediate(() => this.#giveUp()))
    }
  }

  #ask(now: number): void {
    if (this.#session.destroyed || this.#session.closed) return
    const asked = { at: now, written: this.#written }
    this.#asked = asked
    this.#last = now
    this.#session.ping(() => {
      this.#proven = asked.written
      this.#asked = undefined
    })
  }

  #giveUp(): void {
    if (!this.#asked || this.#session.destroyed) return
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

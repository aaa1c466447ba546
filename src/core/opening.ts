// How a request is answered: with a stream, or, for what asks for none (HEAD, OPTIONS, a wrong method, an ended
// channel, a refused gap), with a short answer that leaves nothing registered. Knows HTTP's meaning, not its carrier.

import type { Refusal } from './admission.ts'
import type { CheckedConnectOptions } from './connect-options.ts'
import type { HeaderList } from './cors.ts'
import type { RequestedId, Start } from './resume.ts'

/** What the core wants to know of a request. */
export interface RequestFacts {
  readonly method: string
  /** The request target, query and all. */
  readonly url: string
  readonly origin: string | undefined
  /** From the `Last-Event-ID` header, see `readLastEventId`. */
  readonly lastEventId: RequestedId
  /** The `Accept` header. */
  readonly accept: string | undefined
  /** The address of whoever is at the other end of the transport. */
  readonly address: string | undefined
  /** The HTTP/2 session that carries it, if one does. */
  readonly session?: object | undefined
}

/** An answer that opens no stream. */
export interface Answer {
  readonly status: number
  readonly headers: HeaderList
  readonly body: string
}

/**
 * The response headers of every stream. `no-cache` as the specification advises, `no-store` since a stream is nobody's
 * to keep, `no-transform` so that nothing in between compresses (and so buffers) it; nginx obeys `X-Accel-Buffering`.
 */
export const STREAM_HEADERS: Readonly<HeaderList> = [
  ['Content-Type', 'text/event-stream'],
  ['Cache-Control', 'no-cache, no-store, no-transform'],
  ['X-Accel-Buffering', 'no'],
]

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The last event ID from a header's values as they arrived. Browsers send its UTF-8 bytes, which servers hand on as
 * Latin-1. Several values cannot be read: a miss, never an error.
 */
export function readLastEventId(values: readonly string[]): RequestedId {
  const [value] = values
  if (value === undefined || (value === '' && values.length === 1)) return undefined
  if (values.length > 1) return null
  // Not every platform hands on Latin-1: what has other characters was decoded already.
  if (/[^\0-\xff]/.test(value)) return value
  try {
    return UTF8.decode(Uint8Array.from(value, (character) => character.charCodeAt(0)))
  } catch {
    // Some clients (undici 7) send an id within Latin-1 as such. As anything else it is merely unknown.
    return value
  }
}

/** The last event ID a request came with, the header before the query parameter (which is stale after a reconnect). */
export function requestedId(facts: RequestFacts, { lastEventIdParam }: CheckedConnectOptions): RequestedId {
  if (facts.lastEventId !== undefined || lastEventIdParam === undefined) return facts.lastEventId
  const query = facts.url.indexOf('?')
  if (query === -1) return undefined
  const [value, ...others] = new URLSearchParams(facts.url.slice(query + 1)).getAll(lastEventIdParam)
  if (others.length > 0) return null
  return value === '' ? undefined : value
}

/** The answer to a request whose method asks for no stream; `undefined` for one that does. */
export function answerByMethod(
  { method }: RequestFacts,
  { methods, cors }: CheckedConnectOptions,
): Answer | undefined {
  if (methods.includes(method)) return undefined
  const allowed = [...methods, 'HEAD', 'OPTIONS'].join(', ')
  // RFC 9110, section 9.3.2: a HEAD has the headers of a GET, and no content.
  if (method === 'HEAD') return { status: 200, headers: [...STREAM_HEADERS], body: '' }
  if (method === 'OPTIONS') {
    return { status: 204, headers: [['Allow', allowed], ...(cors?.preflight(allowed) ?? [])], body: '' }
  }
  return {
    status: 405,
    headers: [['Allow', allowed], ...TEXT],
    body: `An event stream is opened with ${methods.join(' or ')}.\n`,
  }
}

const TEXT: HeaderList = [
  ['Content-Type', 'text/plain; charset=utf-8'],
  ['Cache-Control', 'no-store'],
]

/** 204: nothing will ever come, and an EventSource that hears so stops asking (HTML, section 9.2.3). */
export const NOTHING_LEFT: Answer = { status: 204, headers: [['Cache-Control', 'no-store']], body: '' }

/** A second request on a connection whose first is not answered yet: a stream would never get its turn. */
export const PIPELINED: Answer = {
  status: 503,
  headers: [['Retry-After', '1'], ...TEXT],
  body: 'An event stream cannot be pipelined behind another response; open a connection of its own.\n',
}

/** How a refusal is told. */
export type RefusalForm = 'status' | 'retry'

/**
 * An `EventSource` gives up for good on any status but 200 (HTML, section 9.2.2), and asks for `text/event-stream` by
 * name (section 9.2.3): who does that can take the retry form, which is a stream as well; who does not gets a status.
 */
export function refusalForm({ accept }: RequestFacts, asked: RefusalForm | 'auto'): RefusalForm {
  if (asked !== 'auto') return asked
  return accept !== undefined && /(^|,)\s*text\/event-stream\s*(;|,|$)/i.test(accept) ? 'retry' : 'status'
}

/** The answer to a request that is refused: a status with Retry-After, or a stream that says when to come back, and ends. */
export function refused({ reason, after }: Refusal, form: RefusalForm): Answer {
  // Time does not cure it, so nobody is asked to come back.
  if (reason === 'channels') {
    return { status: 400, headers: TEXT, body: 'More channels are asked for than one connection may read.\n' }
  }
  if (form === 'retry') {
    return { status: 200, headers: [...STREAM_HEADERS], body: `retry: ${after}\n\n` }
  }
  return {
    status: reason === 'key' || reason === 'session' ? 429 : 503,
    headers: [['Retry-After', String(Math.max(1, Math.ceil(after / 1_000)))], ...TEXT],
    body: `Refused (${reason}); come back later.\n`,
  }
}

/** For `onGap: 'refuse'`. */
export function refusedGap({ gaps }: Start): Answer {
  return {
    status: 410,
    headers: [
      ['Content-Type', 'application/json'],
      ['Cache-Control', 'no-store'],
      ['Sluice-Resume', 'gap'],
    ],
    body: `${JSON.stringify({ gaps })}\n`,
  }
}

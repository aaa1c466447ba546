// What a server's answer means to a client: a stream, the end, something to come back from, or a refusal.

import { SluiceError, shown } from '../core/errors.ts'
import type { ResumeOutcome } from '../core/resume.ts'

/** The answer to a request, as hooks and errors tell it. */
export interface ResponseInfo {
  readonly status: number
  /** Where the answer came from, after redirects. */
  readonly url: string
  readonly redirected: boolean
  readonly headers: Headers
  /**
   * What a Sluice server says of the resume: `full` (everything since the last event ID follows), `gap` (some is
   * gone), `none` (nothing was asked for). `undefined` from other servers, and from another origin that does not
   * expose the header.
   */
  readonly resume: ResumeOutcome | undefined
}

/** The cause of a `SLUICE_REFUSED`: the answer, and the beginning of its body. */
export interface Refusal extends ResponseInfo {
  /** At most 16 KiB. */
  readonly body: string
}

/** What a status asks of a client. */
export type Verdict = 'stream' | 'over' | 'again' | 'refused'

/** Statuses below 500 that are about this moment, not about the request (RFC 9110, 15.5.9; RFC 8470; RFC 6585). */
const MOMENTARY = new Set([408, 425, 429])

/**
 * HTML 9.2.3: 200 opens, 204 is final. HTML has a client give up at anything else; programs know better, for 5xx and 429
 * are about the server's moment, and a server that names a time to come back at means to be asked again.
 */
export function judge({ status }: Response, after: number | undefined): Verdict {
  if (status === 200) return 'stream'
  if (status === 204) return 'over'
  if (status >= 500 || MOMENTARY.has(status) || (status >= 400 && after !== undefined)) return 'again'
  return 'refused'
}

/** Whether a Content-Type says `text/event-stream`, with whatever parameters (MIME Sniffing, "essence"). */
export function isEventStream({ headers }: Response): boolean {
  const [essence = ''] = (headers.get('Content-Type') ?? '').split(';')
  return essence.trim().toLowerCase() === 'text/event-stream'
}

const OUTCOMES: readonly ResumeOutcome[] = ['full', 'gap', 'none']

export function infoOf({ status, url, redirected, headers }: Response): ResponseInfo {
  const told = headers.get('Sluice-Resume')
  return { status, url, redirected, headers, resume: OUTCOMES.find((one) => one === told) }
}

export function refused(response: Response, body: string, final: boolean): SluiceError {
  const cause: Refusal = { ...infoOf(response), body }
  return new SluiceError(
    'SLUICE_REFUSED',
    `The server answered ${response.status} ${response.statusText}`.trimEnd() +
      (final
        ? ', at which the client gives up; see error.cause for its headers and body.'
        : ', at which the client comes back later.'),
    { cause },
  )
}

export function notEventStream(response: Response): SluiceError {
  return new SluiceError(
    'SLUICE_NOT_EVENT_STREAM',
    `The server answered 200 with Content-Type ${shown(response.headers.get('Content-Type'))}; an event stream is text/event-stream. Is this the right URL?`,
    { cause: infoOf(response) },
  )
}

const MOST_TEXT = 16_384

/** The beginning of a body as text, for people to read. Ends early, without a failure, when `signal` is aborted. */
export async function textOf(body: ReadableStream<Uint8Array> | null, signal: AbortSignal): Promise<string> {
  if (!body) return ''
  const reader = body.getReader()
  const cancel = (): void => {
    reader.cancel().catch(ignore)
  }
  signal.addEventListener('abort', cancel)
  const utf8 = new TextDecoder()
  let text = ''
  try {
    while (text.length < MOST_TEXT && !signal.aborted) {
      const { done, value } = await reader.read()
      if (done) break
      text += utf8.decode(value, { stream: true })
    }
  } catch {
    // What came before the failure serves as well.
  } finally {
    signal.removeEventListener('abort', cancel)
    cancel()
  }
  return text.slice(0, MOST_TEXT)
}

function ignore(): void {}

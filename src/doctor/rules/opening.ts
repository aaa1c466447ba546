// From the connection to the response's headers: whether an EventSource would open at all.

import { error, type Finding, info, ok, type Rule, warning } from '../finding.ts'
import type { Exchange, Redirect, ResponseSeen } from '../observations.ts'
import { duration, quoted } from '../text.ts'

const CERTIFICATE = /CERT|SELF_SIGNED|ALTNAME|ISSUER|UNABLE_TO_VERIFY/

/** No connection, no TLS, or a certificate that was only taken because the user said so. */
export const connection: Rule = ({ main: { failure, certificate } }) => {
  if (certificate !== undefined)
    return [warning('certificate', `Not trusted: ${quoted(certificate)}; taken because of --insecure.`)]
  if (!failure || failure.during === 'response') return []
  const what = `${failure.code}: ${quoted(failure.message, 160)}`
  if (failure.during === 'connect') return [error('unreachable', `${what}.`)]
  const hint = CERTIFICATE.test(failure.code) ? 'The certificate is not trusted' : 'The TLS handshake failed'
  return [error('certificate', `${hint}: ${what}.`)]
}

/** Connected, and no response, or none that can be read. */
export const response: Rule = ({ main, plain, interrupted }) => {
  const { failure, response: head, connectedAt, watchedUntil } = main
  if (head || connectedAt === undefined) return []
  if (failure) {
    if (failure.code === 'ECONNRESET' || failure.code === 'EPIPE') {
      return [
        error(
          'no-response',
          `The connection was closed ${duration(watchedUntil - connectedAt)} after it was made, without a response.`,
        ),
      ]
    }
    return [error('bad-response', `${failure.code}: ${quoted(failure.message, 160)}.`)]
  }
  if (interrupted && watchedUntil < 1_000) return []
  const unlike = plain?.response
    ? ` Without Accept-Encoding the same was answered after ${duration(plain.response.at)}.`
    : ' The application has not answered or not flushed its headers, or a proxy holds them back until there is more: from this side that cannot be told.'
  return [
    error(
      'no-response',
      `Connected after ${duration(connectedAt)}, and no response headers within ${duration(watchedUntil)}.${unlike}`,
    ),
  ]
}

export const redirects: Rule = (seen) => seen.redirects.map(redirected)

function redirected({ status, from, location, to, why }: Redirect): Finding {
  const where = location === undefined ? 'no Location' : quoted(location, 160)
  switch (why) {
    case 'no-location':
      return error('redirect-broken', `${status} without a Location.`)
    case 'bad-location':
      return error('redirect-broken', `${status} to ${where}, which is no http or https URL.`)
    case 'insecure':
      return error('redirect-broken', `${status} from https to ${where}: browsers block it as mixed content.`)
    case 'too-slow':
      return error(
        'redirect-broken',
        `Still redirected when the time was up, last with ${status} to ${where}.`,
      )
    case 'too-many':
      return error('redirect-broken', `Redirected more than 20 times, last with ${status} to ${where}.`)
  }
  if (to === undefined || new URL(to).origin === new URL(from).origin)
    return info('redirect', `${status} to ${where}.`)
  return warning(
    'redirect-cross-origin',
    `${status} from ${new URL(from).origin} to ${quoted(to, 160)}; headers given with --header were not sent there.`,
  )
}

export const status: Rule = ({ main }) => {
  const head = main.response
  if (!head || (head.status >= 300 && head.status < 400)) return head ? unfollowed(head) : []
  const { status: code } = head
  const told = `${code}${beginning(main)}`
  if (code === 200) return [ok('status', '200')]
  if (code === 204) return [warning('status-204', '204.')]
  if (code === 401 || code === 403 || code === 407) return [error('status-auth', `${told}.`)]
  if (code === 429 || code === 503) {
    const after = head.headers['retry-after']
    return [error('status-limit', `${told}${after === undefined ? '' : `, Retry-After: ${quoted(after)}`}.`)]
  }
  if (code === 502 || code === 504) return [error('status-gateway', `${told}.`)]
  return [error('status', `${told}.`)]
}

/** A redirect that could not be followed has been told already; 304 and its like have not. */
function unfollowed({ status: code }: ResponseSeen): Finding[] {
  return [301, 302, 303, 307, 308].includes(code) ? [] : [error('status', `${code}.`)]
}

export const contentType: Rule = ({ main }) => {
  const head = main.response
  if (head?.status !== 200) return []
  const type = head.headers['content-type']
  if (type === undefined) return [error('content-type', `There is no Content-Type${beginning(main)}.`)]
  if (!/^\s*text\/event-stream\s*(;|$)/i.test(type)) {
    return [error('content-type', `Content-Type: ${quoted(type)}${beginning(main)}.`)]
  }
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(type)?.[1]
  const findings = [ok('content-type', quoted(type))]
  if (charset !== undefined && !/^utf-?8$/i.test(charset)) {
    findings.push(warning('charset', `charset=${quoted(charset)}.`))
  }
  return findings
}

/** What the body begins with, where it is not a stream's. */
function beginning({ body }: Exchange): string {
  const text = body?.beginning.trim() ?? ''
  const title = /<title>([^<]*)/i.exec(text)?.[1]?.trim()
  if (title !== undefined && title !== '') return `; a page with the title ${quoted(title)}`
  return text === '' ? '' : `; the body begins ${quoted(text)}`
}

export const caching: Rule = ({ main }) => {
  const head = main.response
  if (!isStream(main) || !head) return []
  const findings: Finding[] = []
  const value = head.headers['cache-control']
  const said = value === undefined ? 'There is no Cache-Control' : `Cache-Control: ${quoted(value)}`
  if (!/no-cache|no-store/i.test(value ?? '')) findings.push(warning('cache-control', `${said}.`))
  else {
    findings.push(ok('cache-control', quoted(value ?? '')))
    if (!/no-transform/i.test(value ?? '')) findings.push(info('no-transform', `${said}.`))
  }
  const hit = cacheHit(head)
  if (hit !== undefined) findings.push(error('cached', `${hit}.`))
  return findings
}

/** The header that says that this came out of a cache. */
function cacheHit({ headers }: ResponseSeen): string | undefined {
  const { age } = headers
  if (age !== undefined && /^\d+$/.test(age) && age !== '0') return `Age: ${age} s`
  for (const [name, value] of Object.entries(headers)) {
    if (
      /^(x-cache(-\w+)*|\w+-cache-status|x-proxy-cache|cache-status)$/.test(name) &&
      /\bhit\b|\bstale\b/i.test(value)
    ) {
      return `${name}: ${quoted(value)}`
    }
  }
  return undefined
}

export const framing: Rule = ({ main }) => {
  const head = main.response
  if (!isStream(main) || !head) return []
  const findings: Finding[] = []
  if (head.httpVersion === '1.0') findings.push(warning('http-1.0', 'The response is HTTP/1.0.'))
  const length = head.headers['content-length']
  if (length !== undefined) findings.push(error('content-length', `Content-Length: ${quoted(length)}.`))
  const ends = {
    chunked: 'chunked',
    length: 'of announced length',
    close: 'delimited by the connection’s end',
    h2: 'framed by HTTP/2',
  }
  findings.push(ok('protocol', `HTTP/${head.httpVersion}, the body ${ends[head.framing]}`))
  return findings
}

/** Whether there is an event stream to speak of. */
export function isStream({ response: head }: Exchange): boolean {
  return head?.status === 200 && /^\s*text\/event-stream\s*(;|$)/i.test(head.headers['content-type'] ?? '')
}

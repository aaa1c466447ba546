// Cross-origin answers for event streams (Fetch, "CORS protocol"): which headers a request's origin gets.

import { checkMilliseconds, checkOptions } from './check.ts'
import { SluiceError, shown } from './errors.ts'
import { isThenable } from './thenable.ts'

/** Response headers; several values of one name as a list. */
export type HeaderList = [name: string, value: string | readonly string[]][]

/** Who may read the stream from another origin. */
export interface CorsOptions {
  /** `'*'`, one origin, several, or a function that decides. Default `'*'`. */
  origin?: string | readonly string[] | ((origin: string) => boolean)
  /** Whether cookies may come along (`withCredentials`). Not with origin `'*'`. Default `false`. */
  credentials?: boolean
  /** Request headers allowed besides `Last-Event-ID` and `Cache-Control`. Default none. */
  headers?: readonly string[]
  /** How long a browser may remember a preflight, in milliseconds (sent as whole seconds). Default 600_000. */
  maxAge?: number
}

/** The headers of one request's answer: those of every answer, and those of a preflight. */
export interface Cors {
  answer(origin: string | undefined): HeaderList
  preflight(methods: string): HeaderList
}

const EXPOSED = 'Sluice-Resume, Sluice-Variant'
const KNOWN = ['origin', 'credentials', 'headers', 'maxAge']

/** @throws {SluiceError} SLUICE_BAD_OPTION */
export function cors(option: true | CorsOptions): Cors {
  const options = option === true ? {} : checkOptions('cors', option, KNOWN)
  const { origin = '*', credentials = false, headers = [] } = options
  const maxAge = checkMilliseconds('cors.maxAge', options.maxAge ?? 600_000, 0, false)
  if (credentials && origin === '*') {
    throw new SluiceError(
      'SLUICE_BAD_OPTION',
      "cors has credentials with origin '*', which browsers refuse; name the origins that may send cookies.",
    )
  }
  const allows = originTest(origin)
  return {
    answer: (requestOrigin) => {
      if (origin === '*') {
        return [
          ['Access-Control-Allow-Origin', '*'],
          ['Access-Control-Expose-Headers', EXPOSED],
        ]
      }
      // The answer depends on the origin whether or not this one is allowed.
      const list: HeaderList = [['Vary', 'Origin']]
      if (requestOrigin === undefined || !isAllowed(allows(requestOrigin))) return list
      list.push(['Access-Control-Allow-Origin', requestOrigin], ['Access-Control-Expose-Headers', EXPOSED])
      if (credentials) list.push(['Access-Control-Allow-Credentials', 'true'])
      return list
    },
    preflight: (methods) => [
      ['Access-Control-Allow-Methods', methods],
      ['Access-Control-Allow-Headers', ['Last-Event-ID', 'Cache-Control', ...headers].join(', ')],
      ['Access-Control-Max-Age', String(Math.floor(maxAge / 1000))],
    ],
  }
}

/** Only `true` is yes: a promise is something, too, and would let everybody in. */
function isAllowed(answer: unknown): boolean {
  if (isThenable(answer)) {
    answer.then(undefined, () => {})
    throw new SluiceError(
      'SLUICE_BAD_OPTION',
      'cors.origin returned a promise; it must return true or false at once: decide before connect(), and pass the origin.',
    )
  }
  return answer === true
}

function originTest(origin: Exclude<CorsOptions['origin'], undefined>): (origin: string) => boolean {
  if (typeof origin === 'string') return (one) => one === origin
  if (Array.isArray(origin)) return (one) => origin.includes(one)
  if (typeof origin === 'function') return origin
  throw new SluiceError(
    'SLUICE_BAD_OPTION',
    `cors.origin is ${shown(origin)}; it must be '*', an origin, a list of origins, or a function.`,
  )
}

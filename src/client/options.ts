// What a client can be told, with the reason for each default. Validated once, when the stream is made.

import { checkFunction, checkInteger, checkMilliseconds, checkOneOf, checkOptions } from '../core/check.ts'
import { SluiceError, shown } from '../core/errors.ts'
import { DECODE_DEFAULTS } from '../core/event-stream/decode.ts'
import type { Gap } from '../core/gap.ts'
import type { Retry } from './backoff.ts'
import { checkHeaders, checkSendableId } from './headers.ts'
import type { ResponseInfo } from './response.ts'

/** Makes what an event holds of its text. What it throws ends the stream, with `SLUICE_UNPARSABLE`. */
export type Parse = (data: string, event: string) => unknown

/** Something, or a function that gives it for one attempt. */
export type PerAttempt<T> = T | (() => T | Promise<T>)

/**
 * Options of `connect`. Durations are milliseconds.
 *
 * What a hook (`onOpen`, `onRetry`, `onGap`) throws, or its promise rejects with, ends the stream: the iteration throws
 * it as it is. That is how a hook gives up. What a function for `headers` or `body` throws is a failed attempt like any
 * other: a token service may be down for a moment, too.
 */
export interface EventStreamOptions {
  /** Default `'GET'`; with a body `'POST'`. Whatever it is, each attempt sends it again. */
  method?: string | undefined
  /** Request headers; as a function, async or not, called for each attempt: for tokens that expire. */
  headers?: PerAttempt<HeadersInit> | undefined
  /** The request body; as a function, called for each attempt. A ReadableStream can be sent once, so only a function may give it. */
  body?: PerAttempt<BodyInit> | undefined
  /** Whether cookies go along: see `fetch`, whose default, `'same-origin'`, holds. */
  credentials?: RequestCredentials | undefined
  /** The fetch to use. Default: the platform's. */
  fetch?: typeof globalThis.fetch | undefined
  /** Where to go on from, as stored from an earlier stream. Default `''`: what the server gives to a new client. */
  lastEventId?: string | undefined
  /** Sends the last event ID in this query parameter instead of the header, which costs a CORS preflight. Default: the header. */
  lastEventIdParam?: string | undefined
  /**
   * The wait before attempt n after a failure is drawn from 0 to `base` × 2ⁿ⁻¹, at most `cap`. A server's `retry:` takes
   * the place of `base`. Default 1_000 and 30_000.
   */
  backoff?: { base?: number | undefined; cap?: number | undefined } | undefined
  /**
   * How many attempts in a row may fail before the iteration throws `SLUICE_RETRIES_EXHAUSTED`. Default `Infinity`. 0 never
   * reconnects: a failure is thrown as it is, and the server's end of the stream is the end of the iteration.
   */
  maxRetries?: number | undefined
  /** How long a stream without an event must last to count as healthy, which starts the backoff anew. Default 5_000. */
  healthyAfter?: number | undefined
  /** How long an attempt may take to the response's headers, your `headers` function included. Default 30_000; 0 or `Infinity` for ever. */
  connectTimeout?: number | undefined
  /** How long nothing at all may arrive, not even a heartbeat, before the connection is given up and made anew. Default 60_000; 0 or `Infinity` for ever. */
  silence?: number | undefined
  /** The most that one event may come to, see `createDecoder`. Default 16_777_216. More ends the stream. */
  maxBufferBytes?: number | undefined
  /** What becomes of the data: `'text'` as it is (default), `'json'`, or a function. Gaps are parsed whatever it says. */
  parse?: 'json' | 'text' | Parse | undefined
  /**
   * The event after which nothing is to come. Default: Sluice's own, an `end` that a Sluice server closes the stream
   * after. A name: that event, at once, from any server. `false`: none; the server's 204 remains. Every way, the
   * iteration gives the event, then ends.
   */
  endEvent?: string | false | undefined
  /** Ends the stream when it is aborted: the iteration throws its reason. `close()` ends it normally. */
  signal?: AbortSignal | undefined
  /** Called when a stream has opened, the first time and every other. */
  onOpen?: ((response: ResponseInfo) => unknown) | undefined
  /** Called when an attempt or a stream has failed and another attempt will be made. */
  onRetry?: ((retry: Retry) => unknown) | undefined
  /** Called for each gap, at its place among the events: just before the iteration gives it. */
  onGap?: ((gap: Gap) => unknown) | undefined
}

export const CLIENT_DEFAULTS: Readonly<{
  backoffBase: number
  backoffCap: number
  maxRetries: number
  healthyAfter: number
  connectTimeout: number
  silence: number
  maxBufferBytes: number
}> = Object.freeze({
  /** A blip costs half a second on average, and a thousand clients of a server that restarts come at one a millisecond. */
  backoffBase: 1_000,
  backoffCap: 30_000,
  /** A page that stays open over a night without a network should come back in the morning. */
  maxRetries: Infinity,
  /** A server that accepts and crashes does so sooner. */
  healthyAfter: 5_000,
  connectTimeout: 30_000,
  /** Three of Sluice's heartbeats, and what most servers' keep twice over. */
  silence: 60_000,
  maxBufferBytes: DECODE_DEFAULTS.maxBufferBytes,
})

/** The options with every default in place. */
export interface StreamSettings {
  readonly url: URL
  readonly method: string
  readonly headers: PerAttempt<HeadersInit>
  readonly body: PerAttempt<BodyInit> | undefined
  readonly credentials: RequestCredentials | undefined
  readonly fetch: typeof globalThis.fetch | undefined
  readonly lastEventId: string
  readonly lastEventIdParam: string | undefined
  readonly backoff: { readonly base: number; readonly cap: number }
  readonly maxRetries: number
  readonly healthyAfter: number
  readonly connectTimeout: number
  readonly silence: number
  readonly maxBufferBytes: number
  readonly parse: 'json' | 'text' | Parse
  readonly endEvent: string | false | undefined
  readonly signal: AbortSignal | undefined
  readonly onOpen: ((response: ResponseInfo) => unknown) | undefined
  readonly onRetry: ((retry: Retry) => unknown) | undefined
  readonly onGap: ((gap: Gap) => unknown) | undefined
}

export const KNOWN_OPTIONS: readonly (keyof EventStreamOptions)[] = [
  'method',
  'headers',
  'body',
  'credentials',
  'fetch',
  'lastEventId',
  'lastEventIdParam',
  'backoff',
  'maxRetries',
  'healthyAfter',
  'connectTimeout',
  'silence',
  'maxBufferBytes',
  'parse',
  'endEvent',
  'signal',
  'onOpen',
  'onRetry',
  'onGap',
]

/** @throws {SluiceError} SLUICE_BAD_OPTION naming the option, the value and the rule; SLUICE_BAD_HEADER, SLUICE_BAD_ID */
export function streamSettings(url: string | URL, options: EventStreamOptions): StreamSettings {
  checkOptions('connect', options, KNOWN_OPTIONS)
  const { headers = {}, body, backoff = {}, maxRetries, parse = 'text' } = options
  checkOptions('backoff', backoff, ['base', 'cap'])
  const defaults = CLIENT_DEFAULTS
  if (typeof headers !== 'function') checkHeaders(headers)
  checkBody(body)
  return Object.freeze({
    url: checkUrl(url, options.fetch !== undefined),
    method: checkMethod(options.method, body !== undefined),
    headers,
    body,
    credentials: options.credentials,
    fetch: maybeFunction('fetch', options.fetch),
    lastEventId: checkSendableId(checkText('lastEventId', options.lastEventId ?? '')),
    lastEventIdParam:
      options.lastEventIdParam === undefined
        ? undefined
        : checkText('lastEventIdParam', options.lastEventIdParam, 1),
    backoff: {
      base: checkMilliseconds('backoff.base', backoff.base ?? defaults.backoffBase, 0, false),
      cap: checkMilliseconds('backoff.cap', backoff.cap ?? defaults.backoffCap, 0, false),
    },
    maxRetries:
      maxRetries === undefined || maxRetries === Infinity
        ? defaults.maxRetries
        : checkInteger('maxRetries', maxRetries, 0),
    healthyAfter: checkMilliseconds('healthyAfter', options.healthyAfter ?? defaults.healthyAfter, 0, true),
    connectTimeout: checkMilliseconds(
      'connectTimeout',
      options.connectTimeout ?? defaults.connectTimeout,
      0,
      true,
    ),
    silence: checkMilliseconds('silence', options.silence ?? defaults.silence, 0, true),
    maxBufferBytes: checkInteger('maxBufferBytes', options.maxBufferBytes ?? defaults.maxBufferBytes, 1),
    parse: typeof parse === 'function' ? parse : checkOneOf('parse', parse, ['text', 'json']),
    endEvent:
      options.endEvent === undefined || options.endEvent === false
        ? options.endEvent
        : checkText('endEvent', options.endEvent, 1),
    signal: checkSignal(options.signal),
    onOpen: maybeFunction('onOpen', options.onOpen),
    onRetry: maybeFunction('onRetry', options.onRetry),
    onGap: maybeFunction('onGap', options.onGap),
  })
}

function checkUrl(given: string | URL, ownFetch: boolean): URL {
  let url: URL
  try {
    url = new URL(given, pageUrl())
  } catch {
    throw badOption('url', given, 'absolute, or relative to a page, where there is one')
  }
  if (!ownFetch && url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw badOption('url', url.href, 'http: or https:, but for a fetch of your own')
  }
  // Fetch, "new Request": refused with a TypeError, which would look like a network that fails.
  if (url.username !== '' || url.password !== '') {
    throw new SluiceError(
      'SLUICE_BAD_OPTION',
      'url holds a user name or password, which fetch refuses; put them into an Authorization header.',
    )
  }
  return url
}

/** What relative URLs are relative to: in a page and in its workers. */
function pageUrl(): string | undefined {
  // Neither exists everywhere, whatever the types of the browser's library say.
  const { document, location } = globalThis as {
    document?: { baseURI?: string }
    location?: { href?: string }
  }
  return document?.baseURI ?? location?.href
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

function checkMethod(given: string | undefined, hasBody: boolean): string {
  const method = given ?? (hasBody ? 'POST' : 'GET')
  if (typeof method !== 'string' || !TOKEN.test(method)) throw badOption('method', method, 'a method of HTTP')
  const upper = method.toUpperCase()
  // Fetch normalises these few and no other, PATCH least of all.
  const normal = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'].includes(upper) ? upper : method
  if (hasBody && (normal === 'GET' || normal === 'HEAD')) {
    throw badOption('method', method, 'one that takes a body, when body is given; leave it out for POST')
  }
  return normal
}

function checkBody(body: PerAttempt<BodyInit> | undefined): void {
  if (typeof ReadableStream === 'function' && body instanceof ReadableStream) {
    throw badOption('body', body, 'a function when it is a stream, which cannot be sent twice')
  }
}

function checkText(name: string, value: unknown, least = 0): string {
  if (typeof value !== 'string' || value.length < least) {
    throw badOption(name, value, least === 0 ? 'a string' : 'a string that is not empty')
  }
  return value
}

function checkSignal(signal: AbortSignal | undefined): AbortSignal | undefined {
  // By its shape: a signal of another realm is none of ours by instanceof.
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
    throw badOption('signal', signal, 'an AbortSignal')
  }
  return signal
}

function maybeFunction<T>(name: string, value: T | undefined): T | undefined {
  return value === undefined ? undefined : checkFunction(name, value)
}

function badOption(name: string, value: unknown, rule: string): SluiceError {
  return new SluiceError('SLUICE_BAD_OPTION', `${name} is ${shown(value)}; it must be ${rule}.`)
}

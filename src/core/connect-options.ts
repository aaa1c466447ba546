// What a connection can be told when it is opened, whatever carries it. Validated at each call: a bad option is the
// caller's mistake and throws before anything is written.

import { checkChannelName, checkFunction, checkInteger, checkOneOf, checkOptions } from './check.ts'
import { type Cors, type CorsOptions, cors, type HeaderList } from './cors.ts'
import type { Filter } from './cursor.ts'
import { SluiceError, shown } from './errors.ts'
import type { RefusalForm } from './opening.ts'
import type { OnGap } from './resume.ts'
import type { AnyChannels, ChannelName } from './typed.ts'

/** Options of a connection. */
export interface ConnectOptions<Channels extends object = AnyChannels> {
  /** The channels it reads. Default none: such a connection gets private sends only. */
  channels?: readonly ChannelName<Channels>[]
  /** Response headers on top of Sluice's own and those already set on the response; these win. */
  headers?: Readonly<Record<string, string | readonly string[]>>
  /** The reconnection time told to the client, in milliseconds. Default: the hub's. */
  retry?: number | undefined
  /** Which events of its channels it gets. Default all. One that throws lets the event not pass, and is reported. */
  filter?: Filter<Channels> | undefined
  /** The variant it reads. May come straight from the client: an unknown one falls back (see `fallbackVariant`). */
  variant?: string | undefined
  /**
   * Where to start when the client brings no last event ID: `'live'` (default), `'oldest'`, or an id to read on
   * after, for instance the one a page was rendered at. May come straight from the client (`null` is none).
   */
  from?: string | null | undefined
  /**
   * What to do when the client's last event ID is not here any more. Default `'live'`.
   * - `'live'`: tell the gap, go on with what is published from now on.
   * - `'oldest'`: tell the gap, go on with the oldest event kept.
   * - `'refuse'`: answer 410 with the gaps as JSON. A browser's `EventSource` then gives up for good.
   */
  onGap?: OnGap
  /** Answers other origins. Default: not. */
  cors?: boolean | CorsOptions
  /** A query parameter that carries the last event ID, for clients that cannot set headers. The header wins. Default none. */
  lastEventIdParam?: string
  /**
   * What `limits.connectionsPerKey` counts this connection by. Default: the address of the transport's other end, of IPv6 its
   * first 64 bits, which behind a proxy is the proxy's. May come from the client; at most 256 characters count.
   */
  key?: string | undefined
  /** A word of the application for this connection, shown by `hub.connections()`: a user's name, a page. */
  label?: string | undefined
  /**
   * How a refusal is told. Default `'auto'`: by what the request accepts.
   * - `'retry'`: 200, a `retry:` time and the end. For browsers: an `EventSource` gives up for good on any other status.
   * - `'status'`: 429 for a key that has too many connections, 503 otherwise, with `Retry-After`. For programs.
   */
  refusal?: RefusalForm | 'auto'
  /** Request methods that open a stream; every other is answered 405. Default `['GET']`. */
  methods?: readonly string[]
}

export interface CheckedConnectOptions {
  readonly channels: readonly string[]
  readonly headers: HeaderList
  readonly retry: number | undefined
  readonly filter: Filter | undefined
  readonly variant: unknown
  /** `null` for what cannot be read. */
  readonly from: string | null
  readonly onGap: OnGap
  readonly cors: Cors | undefined
  readonly lastEventIdParam: string | undefined
  readonly key: string | undefined
  readonly label: string | undefined
  readonly refusal: RefusalForm | 'auto'
  readonly methods: readonly string[]
}

const KNOWN: readonly (keyof ConnectOptions)[] = [
  'channels',
  'headers',
  'retry',
  'filter',
  'variant',
  'from',
  'onGap',
  'cors',
  'lastEventIdParam',
  'key',
  'label',
  'refusal',
  'methods',
]
const GET = Object.freeze(['GET'])
/** RFC 9110, section 5.6.2: what a method or a header name is made of. */
const TOKEN = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/
/** RFC 9110, section 5.5: what a header value may hold. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/**
 * @param more options that the door at hand knows besides these
 * @throws {SluiceError} SLUICE_BAD_OPTION, SLUICE_BAD_CHANNEL, SLUICE_BAD_HEADER
 */
export function checkConnectOptions(
  options: ConnectOptions,
  more: readonly string[] = [],
): CheckedConnectOptions {
  checkOptions('connect', options, [...KNOWN, ...more])
  const { channels = [], headers = {}, retry, filter, onGap = 'live', methods = GET } = options
  if (!Array.isArray(channels)) refuse('channels', channels, 'an array of channel names')
  if (!Array.isArray(methods) || !methods.every((one) => TOKEN.test(one))) {
    refuse('methods', methods, 'an array of HTTP methods')
  }
  const { lastEventIdParam } = options
  if (lastEventIdParam !== undefined && (typeof lastEventIdParam !== 'string' || lastEventIdParam === '')) {
    refuse('lastEventIdParam', lastEventIdParam, 'the name of a query parameter')
  }
  return {
    channels:
      channels.length > 1 ? [...new Set(channels.map(checkChannelName))] : channels.map(checkChannelName),
    headers: checkHeaders(headers),
    retry: retry === undefined ? undefined : checkInteger('retry', retry, 0),
    filter: filter === undefined ? undefined : checkFunction('filter', filter),
    variant: options.variant,
    from: startFrom(options.from),
    onGap: checkOneOf('onGap', onGap, ['live', 'oldest', 'refuse']),
    cors: options.cors ? cors(options.cors) : undefined,
    lastEventIdParam,
    key: checkWord('key', options.key)?.slice(0, 256),
    label: checkWord('label', options.label),
    refusal: checkOneOf('refusal', options.refusal ?? 'auto', ['auto', 'status', 'retry']),
    methods,
  }
}

/** It may come straight from a query: missing (`null`), or given twice. */
function startFrom(from: unknown): string | null {
  return from === undefined || from === null ? 'live' : typeof from === 'string' ? from : null
}

function checkWord(name: string, value: string | undefined): string | undefined {
  if (value !== undefined && typeof value !== 'string') refuse(name, value, 'a string')
  return value
}

function refuse(name: string, value: unknown, rule: string): never {
  throw new SluiceError('SLUICE_BAD_OPTION', `${name} is ${shown(value)}; it must be ${rule}.`)
}

function checkHeaders(headers: Readonly<Record<string, string | readonly string[]>>): HeaderList {
  if (typeof headers !== 'object' || headers === null) refuse('headers', headers, 'an object')
  const list: HeaderList = Object.entries(headers)
  for (const [name, value] of list) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (!TOKEN.test(name) || typeof one !== 'string' || !FIELD_VALUE.test(one)) {
        throw new SluiceError(
          'SLUICE_BAD_HEADER',
          `The header ${shown(name)}: ${shown(one)} cannot be sent; a name is a token, a value a string of Latin-1 without line breaks (RFC 9110, section 5).`,
        )
      }
    }
  }
  return list
}

// The door for node:http and node:https: how a request and its response become a connection.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { checkOneOf } from '../core/check.ts'
import { type ConnectOptions, checkConnectOptions } from '../core/connect-options.ts'
import { type PublicConnection, unopened } from '../core/connection.ts'
import type { HeaderList } from '../core/cors.ts'
import { SluiceError } from '../core/errors.ts'
import type { HubOptions } from '../core/hub-options.ts'
import {
  type Answer,
  PIPELINED,
  type RequestFacts,
  readLastEventId,
  STREAM_HEADERS,
} from '../core/opening.ts'
import type { AnyChannels } from '../core/typed.ts'
import type { TypedConnection } from '../core/typed-hub.ts'
import { diagnostics } from './diagnostics.ts'
import { HttpSink, isWrapped } from './http.ts'
import { type PublicWebHub, WebHub } from './web-hub.ts'

/** Options of `hub.connect`. */
export interface NodeConnectOptions<Channels extends object = AnyChannels>
  extends Omit<ConnectOptions<Channels>, 'key'> {
  /**
   * What `limits.connectionsPerKey` counts this connection by, or a function of the request that says so; `undefined` from it
   * means the default. Default: the address at the other end of the socket, of IPv6 its first 64 bits. Behind a proxy that is
   * the proxy: give a function that reads what your own proxy sets, and nobody else can.
   */
  key?: string | ((req: IncomingMessage) => string | undefined) | undefined
  /**
   * How the stream's end is marked. Default `'close'`: by the end of the connection, which costs one buffer a write.
   * `'chunked'` costs four and leaves the connection usable afterwards; it is what a response gets that a middleware
   * has wrapped, whatever is said here. HTTP/1.0 knows `'close'` only.
   */
  framing?: 'close' | 'chunked'
}

/**
 * Linux under Node sends ten keep-alive probes a second apart. They find a vanished peer only while nothing is
 * unacknowledged, so they must have run out before the next heartbeat: two seconds to spare.
 */
const PROBING = 12_000
/** Where there is no heartbeat to come before, or it comes too soon to fit the probes in front: a second of silence is the least that Linux knows. */
const LEAST_KEEP_ALIVE = 1_000
const KEEP_ALIVE_WITHOUT_HEARTBEAT = 8_000

export class NodeHub extends WebHub {
  /** @throws {SluiceError} SLUICE_BAD_OPTION */
  constructor(options: HubOptions = {}) {
    super(options, diagnostics)
  }

  /** See `PublicHub`. */
  connect(req: IncomingMessage, res: ServerResponse, options: NodeConnectOptions = {}): PublicConnection {
    checkResponse(res)
    const checked = checkConnectOptions({ ...options, key: this.#keyOf(req, options.key) }, ['framing'])
    const framing = checkOneOf('framing', options.framing ?? 'close', ['close', 'chunked'])
    // A client that left before we opened gives no event any more.
    if (res.destroyed || req.socket.destroyed) return unopened(this, 'client')
    // Read and forget a body, or its bytes would hide the client's FIN from us.
    req.resume()
    // Not assigned to a socket: an earlier response on this connection is not finished.
    if (res.socket === null) return this.#answer(res, PIPELINED)
    const decided = this.entrance.receive(factsOf(req), checked)
    if (!('begin' in decided)) return this.#answer(res, decided)

    // A server can be handed any duplex stream as a connection, which need not be a socket.
    const socket: Partial<Socket> = res.socket
    // The server's own idle timeout is not for streams; heartbeats and keep-alive look after them.
    socket.setTimeout?.(0)
    socket.setNoDelay?.(true)
    socket.setKeepAlive?.(true, keepAliveDelay(this.settings.heartbeat))
    const closing = framing === 'close' && !isWrapped(res)
    // Without this header node:http would frame the body in chunks; without `Connection: close` its end would not show.
    if (closing) res.removeHeader('Transfer-Encoding')
    writeHead(res, 200, closing ? [...decided.headers, CLOSE] : decided.headers)
    return decided.begin(new HttpSink(res), contentEncoding(res, decided.headers))
  }

  /** The application's function sees what a client sent: what it throws is contained, and the address counts. */
  #keyOf(req: IncomingMessage, key: NodeConnectOptions['key']): string | undefined {
    if (typeof key !== 'function') return key
    try {
      return key(req)
    } catch (error) {
      this.report(error, { during: 'key' })
      return undefined
    }
  }

  #answer(res: ServerResponse, { status, headers, body }: Answer): PublicConnection {
    res.on('error', () => {})
    writeHead(
      res,
      status,
      body === '' ? headers : [...headers, ['Content-Length', String(Buffer.byteLength(body))]],
    )
    res.end(body)
    return unopened(this, 'closed')
  }
}

/** A silence after which a vanished peer is looked for, so that it is given up before the next heartbeat. */
export function keepAliveDelay(heartbeat: number): number {
  if (heartbeat === Infinity) return KEEP_ALIVE_WITHOUT_HEARTBEAT
  return Math.max(LEAST_KEEP_ALIVE, heartbeat - PROBING)
}

function checkResponse(res: ServerResponse): void {
  if (res.headersSent) {
    throw new SluiceError(
      'SLUICE_HEADERS_SENT',
      'The response has already sent its headers; call connect() before anything writes to it.',
    )
  }
  if (res.writableEnded) {
    throw new SluiceError(
      'SLUICE_RESPONSE_ENDED',
      'The response has already ended; call connect() before, and not on a request that was answered.',
    )
  }
}

/**
 * From the raw headers: only they know whether a header came more than once, and `req.headers`, which node:http makes when it
 * is first asked for, would stay with the request for the life of the stream.
 */
function factsOf(req: IncomingMessage): RequestFacts {
  const { method = 'GET', url = '/', rawHeaders } = req
  const ids: string[] = []
  let origin: string | undefined
  let accept: string | undefined
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase()
    if (name === 'last-event-id') ids.push(rawHeaders[index + 1] ?? '')
    else if (name === 'origin') origin = rawHeaders[index + 1]
    else if (name === 'accept') accept = rawHeaders[index + 1]
  }
  const address = req.socket.remoteAddress
  return { method, url, origin, lastEventId: readLastEventId(ids), accept, address }
}

const CLOSE: HeaderList[number] = ['Connection', 'close']
/** Headers that the application set on the response before win over these. */
const YIELDING = new Set(['cache-control', 'x-accel-buffering'])

/**
 * Writes status and headers; what the application has set before stays, except what would break the stream.
 *
 * All in one call: headers that go through setHeader are kept with the response, half a kilobyte for the life of each stream.
 */
function writeHead(res: ServerResponse, status: number, headers: HeaderList): void {
  if (res.hasHeader('Content-Length')) res.removeHeader('Content-Length')
  const merged = new Map<string, HeaderList[number]>()
  for (const [name, value] of headers) {
    const key = name.toLowerCase()
    const before = res.getHeader(name)
    if (before !== undefined && YIELDING.has(key) && value === DEFAULTS.get(name)) continue
    // Options come after our own headers, and win.
    merged.set(key, [
      name,
      key === 'vary' && before !== undefined ? `${String(before)}, ${String(value)}` : value,
    ])
  }
  const flat = [...merged.values()].flat()
  res.writeHead(status, flat as string[]) // node:http takes lists of values as well; its types do not say so
}

const DEFAULTS = new Map(STREAM_HEADERS)

/**
 * The Content-Encoding that was sent. A compressing middleware sets it on the response while the headers are written;
 * what went into `writeHead` alone is not kept there.
 */
function contentEncoding(res: ServerResponse, headers: HeaderList): string | undefined {
  const own = headers.find(([name]) => name.toLowerCase() === 'content-encoding')?.[1]
  const value = own ?? res.getHeader('Content-Encoding')
  return value === undefined ? undefined : String(value)
}

/** What applications see of a hub; the rest is between the parts of the core. */
export interface PublicHub<Channels extends object = AnyChannels> extends PublicWebHub<Channels> {
  /**
   * Opens an event stream on `res`: headers and a first block are written at once. Options may be left out.
   *
   * Nothing that the client sent makes it throw. What asks for no stream is answered, and the connection returned is
   * closed from the start: HEAD with a stream's headers, OPTIONS (a CORS preflight or not) with 204, another method
   * with 405, a pipelined request with 503, a channel that has ended and was read to its end with 204, a client that
   * has left already with nothing.
   *
   * @throws {SluiceError} SLUICE_HEADERS_SENT, SLUICE_RESPONSE_ENDED, SLUICE_BAD_OPTION, SLUICE_BAD_CHANNEL,
   *   SLUICE_BAD_HEADER: before anything is written.
   */
  connect(
    req: IncomingMessage,
    res: ServerResponse,
    options?: NodeConnectOptions<Channels>,
  ): TypedConnection<Channels>
}

/**
 * Makes a hub: the registry of channels and connections of one process.
 *
 * `Channels` declares, for the compiler, which events each channel has: `createHub<{ prices: { tick: { btc: number } } }>()`.
 *
 * @example
 * const hub = createHub()
 * createServer((req, res) => { hub.connect(req, res, { channels: ['prices'] }) }).listen(8080)
 * hub.publish('prices', { event: 'tick', data: { btc: 64000 } })
 *
 * @throws {SluiceError} SLUICE_BAD_OPTION
 */
export function createHub<Channels extends object = AnyChannels>(
  options: HubOptions<Channels> = {},
): PublicHub<Channels> {
  // The declaration is the compiler's alone: at run time every hub takes every name.
  return new NodeHub(options as unknown as HubOptions) as unknown as PublicHub<Channels>
}

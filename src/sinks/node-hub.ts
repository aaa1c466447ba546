// The door for node:http, node:https and the compatibility API of node:http2: how a request and its response become a connection.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { checkOneOf } from '../core/check.ts'
import { type ConnectOptions, checkConnectOptions } from '../core/connect-options.ts'
import { type PublicConnection, unopened } from '../core/connection.ts'
import { SluiceError } from '../core/errors.ts'
import type { HubOptions } from '../core/hub-options.ts'
import { PIPELINED } from '../core/opening.ts'
import type { AnyChannels } from '../core/typed.ts'
import type { TypedConnection } from '../core/typed-hub.ts'
import { defaultFraming, http2Carrier, httpCarrier, isHttp2 } from './carrier.ts'
import { diagnostics } from './diagnostics.ts'
import { contentEncoding } from './head.ts'
import { type PublicWebHub, WebHub } from './web-hub.ts'

/** Options of `hub.connect`. */
export interface NodeConnectOptions<Channels extends object = AnyChannels>
  extends Omit<ConnectOptions<Channels>, 'key'> {
  /**
   * What `limits.connectionsPerKey` counts this connection by, or a function of the request that says so; `undefined` from it
   * means the default. Default: the address at the other end of the socket, of IPv6 its first 64 bits. Behind a proxy that is
   * the proxy: give a function that reads what your own proxy sets, and nobody else can.
   */
  key?: string | ((req: IncomingMessage | Http2ServerRequest) => string | undefined) | undefined
  /**
   * How the stream's end is marked. Default `'close'`: by the end of the connection, which costs one buffer a write; `'chunked'` for a
   * request that came through Varnish, which would hold the first block of the other back until more comes.
   * `'chunked'` costs four and leaves the connection usable afterwards; it is what a response gets that a middleware
   * has wrapped, whatever is said here. HTTP/1.0 knows `'close'` only; HTTP/2 has frames of its own, and nothing to choose.
   */
  framing?: 'close' | 'chunked'
}

export class NodeHub extends WebHub {
  /** @throws {SluiceError} SLUICE_BAD_OPTION */
  constructor(options: HubOptions = {}) {
    super(options, diagnostics)
  }

  /** See `PublicHub`. */
  connect(
    req: IncomingMessage | Http2ServerRequest,
    res: ServerResponse | Http2ServerResponse,
    options: NodeConnectOptions = {},
  ): PublicConnection {
    checkResponse(res)
    const checked = checkConnectOptions({ ...options, key: this.#keyOf(req, options.key) }, ['framing'])
    const framing = checkOneOf('framing', options.framing ?? defaultFraming(req), ['close', 'chunked'])
    const carrier = isHttp2(res)
      ? http2Carrier(req, res)
      : httpCarrier(req, res, framing, this.settings.heartbeat)
    if (carrier.gone) return unopened(this, 'client')
    // Read and forget a body, or its bytes would hide the client's FIN from us.
    req.resume()
    const decided = carrier.pipelined ? PIPELINED : this.entrance.receive(carrier.facts(), checked)
    if ('begin' in decided) {
      const sink = carrier.open(decided.headers)
      return decided.begin(sink, contentEncoding(res, decided.headers))
    }
    carrier.answer(decided)
    return unopened(this, 'closed')
  }

  /** The application's function sees what a client sent: what it throws is contained, and the address counts. */
  #keyOf(req: IncomingMessage | Http2ServerRequest, key: NodeConnectOptions['key']): string | undefined {
    if (typeof key !== 'function') return key
    try {
      return key(req)
    } catch (error) {
      this.report(error, { during: 'key' })
      return undefined
    }
  }
}

function checkResponse(res: ServerResponse | Http2ServerResponse): void {
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
    req: IncomingMessage | Http2ServerRequest,
    res: ServerResponse | Http2ServerResponse,
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

// The door for platforms that speak Request and Response: how one becomes the other, with a connection behind it.

import { type ConnectOptions, checkConnectOptions } from '../core/connect-options.ts'
import { type PublicConnection, unopened } from '../core/connection.ts'
import type { HeaderList } from '../core/cors.ts'
import { SluiceError, shown } from '../core/errors.ts'
import { Hub } from '../core/hub.ts'
import type { HubOptions } from '../core/hub-options.ts'
import { type RequestFacts, readLastEventId } from '../core/opening.ts'
import type { AnyChannels } from '../core/typed.ts'
import type { TypedConnection, TypedCore } from '../core/typed-hub.ts'
import { WebSink } from './web.ts'

/** Options of `hub.respond` and `hub.accept`. */
export interface WebConnectOptions<Channels extends object = AnyChannels>
  extends Omit<ConnectOptions<Channels>, 'key'> {
  /**
   * The address of the client, which a Request does not carry: `server.requestIP(request)?.address` in Bun,
   * `info.remoteAddr.hostname` in Deno, what your own proxy or platform sets elsewhere. What `limits.connectionsPerKey`
   * counts by when there is no `key`; without either nothing is counted.
   */
  address?: string | undefined
  /** What `limits.connectionsPerKey` counts this connection by. Default: `address`, of IPv6 its first 64 bits. At most 256 characters count. */
  key?: string | undefined
}

/** A request that was answered. */
export interface Accepted<Channels extends object = AnyChannels> {
  /** To be returned to the platform at once: a client that waits for it sees nothing of the stream. */
  readonly response: Response
  /** Closed from the start when the response opens no stream. */
  readonly connection: TypedConnection<Channels>
}

export class WebHub extends Hub {
  /** See `PublicWebHub`. */
  respond(request: Request, options: WebConnectOptions = {}): Response {
    return this.accept(request, options).response
  }

  /** As `respond`, and gives the connection as well: to send to it alone, pipe into it, close it, or hear why it closed. */
  accept(
    request: Request,
    options: WebConnectOptions = {},
  ): { response: Response; connection: PublicConnection } {
    checkRequest(request)
    const { address, ...rest } = options
    const checked = checkConnectOptions(rest)
    if (address !== undefined && typeof address !== 'string') {
      throw new SluiceError(
        'SLUICE_BAD_OPTION',
        `address is ${shown(address)}; it must be the client's address as a string, or left out.`,
      )
    }
    if (request.signal.aborted) {
      // Nobody is left to read this.
      return { response: new Response(null, { status: 503 }), connection: unopened(this, 'client') }
    }
    const decided = this.entrance.receive(factsOf(request, address), checked)
    if (!('begin' in decided)) {
      const { status, headers, body } = decided
      const init = { status, headers: headersOf(headers) }
      return { response: new Response(body || null, init), connection: unopened(this, 'closed') }
    }
    const headers = headersOf(decided.headers)
    const sink = new WebSink(request)
    const connection = decided.begin(sink, headers.get('Content-Encoding') ?? undefined)
    return { response: new Response(sink.body, { headers }), connection }
  }
}

function checkRequest(request: Request): void {
  // By structure, for frameworks bring Requests of their own.
  if (typeof request?.headers?.get === 'function' && typeof request.url === 'string' && request.signal) return
  throw new SluiceError(
    'SLUICE_BAD_REQUEST',
    `${shown(request)} is no Request; pass the Request that the platform gave you (hub.connect(req, res) is for node:http).`,
  )
}

function factsOf({ method, url, headers }: Request, address: string | undefined): RequestFacts {
  // Several headers of one name arrive as one, joined by ", ": an id that nobody minted, and so a miss.
  const id = headers.get('Last-Event-ID')
  return {
    method,
    url,
    origin: headers.get('Origin') ?? undefined,
    lastEventId: readLastEventId(id === null ? [] : [id]),
    accept: headers.get('Accept') ?? undefined,
    address,
  }
}

/** Later values win over earlier ones, except in Vary, where each says something of its own. */
function headersOf(list: HeaderList): Headers {
  const headers = new Headers()
  for (const [name, value] of list) {
    if (name.toLowerCase() !== 'vary') headers.delete(name)
    for (const one of typeof value === 'string' ? [value] : value) headers.append(name, one)
  }
  return headers
}

/** What applications see of a hub for Request and Response; the rest is between the parts of the core. */
export interface PublicWebHub<Channels extends object = AnyChannels> extends TypedCore<Channels> {
  /**
   * Answers `request` with an event stream: a Response whose body delivers what the connection reads. Return it as it is.
   *
   * Nothing that the client sent makes it throw. What asks for no stream gets another answer: HEAD a stream's headers,
   * OPTIONS (a CORS preflight or not) 204, another method 405, a channel that has ended and was read to its end 204.
   *
   * The connection closes with reason `client` when the body is cancelled or the request's signal aborts. A body that
   * nobody reads holds `maxBufferedBytes`, one write and one event at the most, and is given up after `stallTimeout`.
   *
   * @throws {SluiceError} SLUICE_BAD_REQUEST, SLUICE_BAD_OPTION, SLUICE_BAD_CHANNEL, SLUICE_BAD_HEADER
   */
  respond(request: Request, options?: WebConnectOptions<Channels>): Response
  /** As `respond`, and gives the connection as well: to send to it alone, pipe into it, close it, or hear why it closed. */
  accept(request: Request, options?: WebConnectOptions<Channels>): Accepted<Channels>
}

/**
 * Makes a hub: the registry of channels and connections of one process (or isolate, or Durable Object).
 *
 * `Channels` declares, for the compiler, which events each channel has: `createHub<{ prices: { tick: { btc: number } } }>()`.
 *
 * @example
 * const hub = createHub()
 * export default { fetch: (request) => hub.respond(request, { channels: ['prices'] }) }
 * hub.publish('prices', { event: 'tick', data: { btc: 64000 } })
 *
 * @throws {SluiceError} SLUICE_BAD_OPTION
 */
export function createHub<Channels extends object = AnyChannels>(
  options: HubOptions<Channels> = {},
): PublicWebHub<Channels> {
  // The declaration is the compiler's alone: at run time every hub takes every name.
  return new WebHub(options as unknown as HubOptions) as unknown as PublicWebHub<Channels>
}

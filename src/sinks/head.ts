// Headers in Node's terms: what a request says, and what an answer carries.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { HeaderList } from '../core/cors.ts'
import { type RequestFacts, readLastEventId, STREAM_HEADERS } from '../core/opening.ts'

/**
 * From the raw headers: only they know whether a header came more than once, and `req.headers`, which node:http makes when it
 * is first asked for, would stay with the request for the life of the stream.
 */
export function factsOf(
  req: IncomingMessage | Http2ServerRequest,
  address: string | undefined,
  session?: object,
): RequestFacts {
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
  return { method, url, origin, lastEventId: readLastEventId(ids), accept, address, session }
}

/** Headers that the application set on the response before win over these. */
const YIELDING = new Set(['cache-control', 'x-accel-buffering'])

/**
 * Writes status and headers; what the application has set before stays, except what would break the stream.
 *
 * All in one call: headers that go through setHeader are kept with the response, half a kilobyte for the life of each stream.
 */
export function writeHead(res: ServerResponse, status: number, headers: HeaderList): void {
  res.writeHead(status, merged(res, headers).flat() as string[]) // node:http takes lists of values as well; its types do not say so
}

/** `headers` over what the response has. */
function merged(res: ServerResponse | Http2ServerResponse, headers: HeaderList): HeaderList {
  if (res.hasHeader('Content-Length')) res.removeHeader('Content-Length')
  const merged = new Map<string, HeaderList[number]>()
  for (const [name, value] of headers) {
    const key = name.toLowerCase()
    const before = res.getHeader(name)
    if (before !== undefined && YIELDING.has(key) && value === DEFAULTS.get(name)) continue
    // Options come after our own headers, and win; but what an answer depends on adds up.
    const varied = key === 'vary' ? (merged.get(key)?.[1] ?? before) : undefined
    merged.set(key, [name, varied === undefined ? value : `${String(varied)}, ${String(value)}`])
  }
  return [...merged.values()]
}

const DEFAULTS = new Map(STREAM_HEADERS)

/**
 * The Content-Encoding that was sent. A compressing middleware sets it on the response while the headers are written;
 * what went into `writeHead` alone is not kept there.
 */
export function contentEncoding(
  res: ServerResponse | Http2ServerResponse,
  headers: HeaderList,
): string | undefined {
  const own = headers.find(([name]) => name.toLowerCase() === 'content-encoding')?.[1]
  const value = own ?? res.getHeader('Content-Encoding')
  return value === undefined ? undefined : String(value)
}

/** RFC 9113, section 8.2.2: what speaks of the connection has no place in HTTP/2. */
const CONNECTION_HEADERS = new Set([
  'connection',
  'keep-alive',
  'http2-settings',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
])

/** As `writeHead`, for HTTP/2. */
export function writeHttp2Head(res: Http2ServerResponse, status: number, headers: HeaderList): void {
  const kept = merged(res, headers)
    .map(([name, value]): HeaderList[number] => [name.toLowerCase(), value])
    .filter(([name]) => !CONNECTION_HEADERS.has(name))
  // Its types want lists that may be changed, and do not change them.
  res.writeHead(status, Object.fromEntries(kept) as Record<string, string | string[]>)
}

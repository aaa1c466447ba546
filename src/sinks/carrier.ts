// What carries a stream on Node, HTTP/1 or HTTP/2: what each says of its client, and how each is opened or answered.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Socket } from 'node:net'
import type { HeaderList } from '../core/cors.ts'
import type { Answer, RequestFacts } from '../core/opening.ts'
import type { Sink } from '../core/sink.ts'
import { factsOf, writeHead, writeHttp2Head } from './head.ts'
import { HttpSink, isWrapped } from './http.ts'
import { Http2Sink } from './http2.ts'

export interface Carrier {
  /** The client left before we opened, which gives no event any more. */
  readonly gone: boolean
  /** Not assigned to a socket: an earlier response on this connection is not finished. */
  readonly pipelined: boolean
  facts(): RequestFacts
  /** Writes the head of a stream. */
  open(headers: HeaderList): Sink
  /** Answers without opening a stream. */
  answer(answer: Answer): void
}

/**
 * Linux under Node sends ten keep-alive probes a second apart. They find a vanished peer only while nothing is
 * unacknowledged, so they must have run out before the next heartbeat: two seconds to spare.
 */
const PROBING = 12_000
/** Where there is no heartbeat to come before, or it comes too soon to fit the probes in front: a second of silence is the least that Linux knows. */
const LEAST_KEEP_ALIVE = 1_000
const KEEP_ALIVE_WITHOUT_HEARTBEAT = 8_000

/** A silence after which a vanished peer is looked for, so that it is given up before the next heartbeat. */
export function keepAliveDelay(heartbeat: number): number {
  if (heartbeat === Infinity) return KEEP_ALIVE_WITHOUT_HEARTBEAT
  return Math.max(LEAST_KEEP_ALIVE, heartbeat - PROBING)
}

const CLOSE: HeaderList[number] = ['Connection', 'close']

/**
 * Varnish reads what came along with the headers and then waits for more before it hands anything on, of a response that ends with its
 * connection; not of one in chunks (test/faults/hops.test.ts). It names itself in each request.
 */
export function defaultFraming({
  rawHeaders,
}: {
  readonly rawHeaders: readonly string[]
}): 'close' | 'chunked' {
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string // within the list
    if (name.length === 9 && name.toLowerCase() === 'x-varnish') return 'chunked'
  }
  return 'close'
}

/** @param heartbeat of the hub, which keep-alive must be ahead of */
export function httpCarrier(
  req: IncomingMessage | Http2ServerRequest,
  res: ServerResponse,
  framing: 'close' | 'chunked',
  heartbeat: number,
): Carrier {
  return {
    gone: res.destroyed || req.socket.destroyed,
    pipelined: res.socket === null,
    facts: () => factsOf(req, req.socket.remoteAddress),
    open: (headers) => {
      // A server can be handed any duplex stream as a connection, which need not be a socket.
      const socket: Partial<Socket> | null = res.socket
      // The server's own idle timeout is not for streams; heartbeats and keep-alive look after them.
      socket?.setTimeout?.(0)
      socket?.setNoDelay?.(true)
      socket?.setKeepAlive?.(true, keepAliveDelay(heartbeat))
      const closing = framing === 'close' && !isWrapped(res)
      // Without this header node:http would frame the body in chunks; without `Connection: close` its end would not show.
      if (closing) res.removeHeader('Transfer-Encoding')
      writeHead(res, 200, closing ? [...headers, CLOSE] : headers)
      return new HttpSink(res)
    },
    answer: ({ status, headers, body }) => {
      res.on('error', () => {})
      writeHead(res, status, withLength(headers, body))
      res.end(body)
    },
  }
}

/** By structure: a server with `allowHTTP1` gives both kinds. */
export function isHttp2(res: ServerResponse | Http2ServerResponse): res is Http2ServerResponse {
  return 'stream' in res
}

export function http2Carrier(req: IncomingMessage | Http2ServerRequest, res: Http2ServerResponse): Carrier {
  const { stream } = res
  const session = stream.session
  return {
    gone: stream.destroyed || stream.closed,
    pipelined: false,
    facts: () => factsOf(req, session?.socket.remoteAddress, session),
    open: (headers) => {
      // As over HTTP/1: idle timeouts of the server are not for streams.
      session?.setTimeout(0)
      stream.setTimeout(0)
      writeHttp2Head(res, 200, headers)
      // What a middleware has put in front must be written through, with the little of a response that it needs and both have.
      return Object.hasOwn(res, 'write')
        ? new HttpSink(res as unknown as ServerResponse)
        : new Http2Sink(stream)
    },
    answer: ({ status, headers, body }) => {
      stream.on('error', () => {})
      writeHttp2Head(res, status, withLength(headers, body))
      res.end(body)
    },
  }
}

function withLength(headers: HeaderList, body: string): HeaderList {
  return body === '' ? headers : [...headers, ['Content-Length', String(Buffer.byteLength(body))]]
}

// A request over HTTP/1.1 and over HTTP/2, on a connection that is there already, told in the same words; most of all
// how it ended, which each of them hides in a different place.

import { request as httpRequest, type IncomingMessage } from 'node:http'
import {
  type ClientHttp2Session,
  constants,
  connect as http2Connect,
  type IncomingHttpHeaders,
} from 'node:http2'
import type { Socket } from 'node:net'
import type { Request } from './exchange.ts'
import type { EndKind, ResponseSeen } from './observations.ts'

/** One of `ended` and `failed` is the last thing told, once. */
export interface Listener {
  sent(): void
  response(head: Omit<ResponseSeen, 'at'>): void
  bytes(bytes: Uint8Array): void
  ended(how: EndKind, code: string | undefined): void
  /** There was no response, and there will be none. */
  failed(code: string, message: string): void
}

export interface Carrier {
  destroy(): void
}

export function overHttp1(socket: Socket, request: Request, listener: Listener): Carrier {
  const told = once()
  let reset: string | undefined
  socket.on('error', (error: NodeJS.ErrnoException) => {
    reset = error.code
  })
  let answered = false
  const asked = httpRequest({
    method: request.method,
    path: request.url.pathname + request.url.search,
    headers: { host: request.url.host, ...request.headers },
    createConnection: () => socket,
  })
  asked.on('finish', () => listener.sent())
  asked.on('error', (error: NodeJS.ErrnoException) => {
    // After a response it is the connection's error, and the response's 'close' comes yet.
    if (!answered) told(() => listener.failed(error.code ?? 'ERROR', error.message))
  })
  asked.on('close', () => {
    // A response to no request of ours (101, say) gives no error.
    if (!answered) told(() => listener.failed('ECONNRESET', 'The connection was closed without a response.'))
  })
  asked.on('response', (received) => {
    answered = true
    const framing = framingOf(received)
    listener.response({
      status: received.statusCode ?? 0,
      httpVersion: received.httpVersion,
      headers: joined(received.headers),
      framing,
      maxConcurrentStreams: undefined,
    })
    if (request.read) received.on('data', (bytes: Buffer) => listener.bytes(bytes))
    received.on('error', () => {}) // 'close' follows
    received.on('close', () => {
      if (received.complete) told(() => listener.ended(framing === 'close' ? 'fin' : 'complete', undefined))
      else told(() => listener.ended(reset === undefined ? 'truncated' : 'reset', reset))
    })
  })
  asked.end()
  return {
    destroy() {
      told(() => {})
      asked.destroy()
      socket.destroy()
    },
  }
}

/** RFC 9112, section 6.3. */
function framingOf({ headers, statusCode }: IncomingMessage): ResponseSeen['framing'] {
  if (statusCode === 204 || statusCode === 304) return 'length'
  if (/chunked\s*$/i.test(headers['transfer-encoding'] ?? '')) return 'chunked'
  return headers['content-length'] === undefined ? 'close' : 'length'
}

export function overHttp2(socket: Socket, request: Request, listener: Listener): Carrier {
  const told = once()
  const session: ClientHttp2Session = http2Connect(request.url.origin, { createConnection: () => socket })
  let answered = false
  let fault: string | undefined
  session.on('error', (error: NodeJS.ErrnoException) => {
    fault ??= error.code
  })
  session.on('goaway', (code) => {
    if (code !== 0) fault ??= nameOf(code)
  })
  const headers: Record<string, string | string[]> = { ...request.headers }
  const authority = String(headers.host ?? request.url.host)
  delete headers.host
  for (const name of OF_CONNECTIONS) delete headers[name]
  const stream = session.request({
    ':method': request.method,
    ':path': request.url.pathname + request.url.search,
    ':authority': authority,
    ...headers,
  })
  stream.on('ready', () => listener.sent())
  stream.on('response', (headers) => {
    answered = true
    listener.response({
      status: Number(headers[':status']),
      httpVersion: '2.0',
      headers: joined(headers),
      framing: 'h2',
      maxConcurrentStreams: session.remoteSettings?.maxConcurrentStreams,
    })
  })
  let ended = false
  if (request.read) stream.on('data', (bytes: Buffer) => listener.bytes(bytes))
  stream.on('end', () => {
    ended = true
  })
  stream.on('error', (error: NodeJS.ErrnoException) => {
    fault ??= error.code
  })
  stream.on('close', () => {
    const code = stream.rstCode
    if (!answered)
      told(() => listener.failed(fault ?? nameOf(code), 'The stream was closed without a response.'))
    else if (code === constants.NGHTTP2_NO_ERROR && ended && !socket.destroyed && fault === undefined) {
      told(() => listener.ended('complete', undefined))
    } else {
      // Node gives a code of its own to streams whose connection is gone.
      told(() => listener.ended('h2-reset', socket.destroyed ? fault : nameOf(code)))
    }
  })
  stream.end()
  return {
    destroy() {
      told(() => {})
      stream.destroy()
      session.destroy()
      socket.destroy()
    },
  }
}

/** RFC 9113, section 8.2.2: what HTTP/2 does not carry, if the user gave it. */
const OF_CONNECTIONS = [
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
] as const

/** RFC 9113, section 7: the name of an error code. */
function nameOf(code: number | undefined): string {
  const name = Object.entries(constants).find(
    ([key, value]) =>
      value === code &&
      /^NGHTTP2_(NO_ERROR|.*_ERROR|.*STREAM|CANCEL|CONNECT_ERROR|ENHANCE_YOUR_CALM|INADEQUATE_SECURITY|HTTP_1_1_REQUIRED)$/.test(
        key,
      ),
  )?.[0]
  return name?.replace('NGHTTP2_', '') ?? `code ${code}`
}

function joined(headers: IncomingHttpHeaders | IncomingMessage['headers']): Record<string, string> {
  const plain: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !name.startsWith(':'))
      plain[name] = Array.isArray(value) ? value.join(', ') : String(value)
  }
  return plain
}

function once(): (tell: () => void) => void {
  let done = false
  return (tell) => {
    if (done) return
    done = true
    tell()
  }
}

// One request for an event stream, up to its end: connects to the address that was checked, follows redirects on the
// same host, and tells what happened. It knows HTTP and nothing of events.

import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect, isIP, type Socket } from 'node:net'
import { connect as secureConnect } from 'node:tls'
import { urlToHttpOptions } from 'node:url'
import { hostOf, portOf } from './target.ts'

export interface StreamOptions {
  url: URL
  /** Where to connect, whatever the URL's name says by now. */
  address: string
  source: string | undefined
  headers: Record<string, string | string[]>
  insecure: boolean
  /** A stream that is not read: nothing of its body is taken until `resume()`. */
  paused: boolean
}

/** `refused`, `failed` or `ended` is the last thing that is told, once; nothing is told after `abandon()`. */
export interface StreamListener {
  requested(): void
  connected(): void
  status(status: number): void
  redirected(): void
  /** The response is an event stream. */
  opened(): void
  bytes(bytes: Buffer): void
  /** An answer at which an EventSource gives up. */
  refused(why: 'status' | 'type' | 'redirect'): void
  /** No answer. */
  failed(code: string): void
  /** In good order, or cut short (a reset, or an end in the middle of a chunked body). */
  ended(how: 'ended' | 'cut'): void
}

export interface Stream {
  resume(): void
  /** Leaves without a word. */
  abandon(): void
}

const REDIRECTS = new Set([301, 302, 303, 307, 308])
/** As many as Fetch allows. */
const MAX_REDIRECTS = 20
const EVENT_STREAM = /^\s*text\/event-stream\s*(;|$)/i

export function openStream(options: StreamOptions, listener: StreamListener): Stream {
  let request: ClientRequest
  let response: IncomingMessage | undefined
  let over = false

  function finish(tell: () => void): void {
    if (over) return
    over = true
    tell()
    // Without an agent nobody else closes the socket of a response that ended in good order.
    request.destroy()
  }

  function ask(url: URL, redirects: number): void {
    const asked = send(url, options, () => listener.connected())
    request = asked
    listener.requested()
    asked.on('response', (received) => answered(url, received, redirects))
    asked.on('error', (error: NodeJS.ErrnoException) => {
      if (request !== asked) return
      if (response) finish(() => listener.ended('cut'))
      else finish(() => listener.failed(error.code ?? error.message))
    })
    asked.end()
  }

  function answered(url: URL, received: IncomingMessage, redirects: number): void {
    if (over) return
    received.on('error', () => {}) // of one that is left; the stream has a listener of its own
    const status = received.statusCode ?? 0
    listener.status(status)
    if (REDIRECTS.has(status) && received.headers.location !== undefined) {
      const next = redirects < MAX_REDIRECTS ? follow(url, received.headers.location) : undefined
      if (next) goOn(next, redirects + 1)
      else finish(() => listener.refused('redirect'))
      return
    }
    if (status !== 200) finish(() => listener.refused('status'))
    else if (!EVENT_STREAM.test(received.headers['content-type'] ?? ''))
      finish(() => listener.refused('type'))
    else open(received)
  }

  function goOn(url: URL, redirects: number): void {
    listener.redirected()
    const left = request
    ask(url, redirects)
    left.destroy()
  }

  function open(received: IncomingMessage): void {
    response = received
    received.on('end', () => finish(() => listener.ended('ended')))
    received.on('error', () => finish(() => listener.ended('cut')))
    received.on('close', () => finish(() => listener.ended(received.complete ? 'ended' : 'cut')))
    listener.opened()
    if (!options.paused) read()
  }

  function read(): void {
    response?.on('data', (bytes: Buffer) => {
      if (!over) listener.bytes(bytes)
    })
  }

  ask(options.url, 0)
  return {
    resume: read,
    abandon() {
      over = true
      request.destroy()
    },
  }
}

/** Another port or path of the same host; never from https back to http, where headers would go in clear. */
function follow(from: URL, location: string): URL | undefined {
  if (!URL.canParse(location, from)) return undefined
  const url = new URL(location, from)
  if (url.protocol !== 'https:' && (url.protocol !== 'http:' || from.protocol === 'https:')) return undefined
  return url.hostname === from.hostname ? url : undefined
}

function send(url: URL, options: StreamOptions, connected: () => void): ClientRequest {
  const secure = url.protocol === 'https:'
  const { address: host, source: localAddress } = options
  const to = { host, port: portOf(url), ...(localAddress !== undefined && { localAddress }) }
  // With a socket of its own a request needs no agent; an agent for each costs memory that thousands would notice.
  const createConnection = (): Socket => {
    if (!secure) return connect(to).once('connect', connected)
    const name = hostOf(url)
    const socket = secureConnect({
      ...to,
      // An address must not be sent as a server name; the certificate is then held against `host`.
      servername: isIP(name) ? '' : name,
      ALPNProtocols: ['http/1.1'],
      rejectUnauthorized: !options.insecure,
    })
    return socket.once('secureConnect', connected)
  }
  return (secure ? httpsRequest : httpRequest)({
    ...urlToHttpOptions(url),
    headers: { host: url.host, ...options.headers },
    createConnection,
  })
}

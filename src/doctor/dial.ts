// One connection to where a URL leads: TCP, and TLS with the protocols that browsers offer.

import { connect, isIP, type Socket } from 'node:net'
import { connect as secureConnect, type TLSSocket } from 'node:tls'
import type { Failure } from './observations.ts'

export interface Dialled {
  readonly socket: Socket
  readonly http2: boolean
  /** The certificate's fault, when `insecure` let it pass. */
  readonly certificate: string | undefined
}

export interface DialOptions {
  readonly insecure: boolean
  /** Whether HTTP/2 is offered, which is done over TLS only. */
  readonly http2: boolean
  readonly signal: AbortSignal
}

/** @throws {DialFailure} when there is no connection to be had, or the signal came first */
export function dial(url: URL, options: DialOptions): Promise<Dialled> {
  const { promise, resolve, reject } = deferred<Dialled>()
  const secure = url.protocol === 'https:'
  const host = hostOf(url)
  let during: Failure['during'] = 'connect'
  const to = { host, port: Number(url.port) || (secure ? 443 : 80) }
  const socket: Socket | TLSSocket = secure
    ? secureConnect({
        ...to,
        // An address must not be sent as a server name; the certificate is then held against `host`.
        servername: isIP(host) ? '' : host,
        ALPNProtocols: options.http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
        rejectUnauthorized: !options.insecure,
      })
    : connect(to)

  const fail = (code: string, message: string): void => {
    socket.destroy()
    reject(new DialFailure({ code, message, during }))
  }
  const onError = (error: NodeJS.ErrnoException): void => {
    // Happy eyeballs: the errors of all addresses in one, whose own message is empty.
    const [first] = error instanceof AggregateError ? (error.errors as Error[]) : []
    fail(error.code ?? 'ERROR', error.message || first?.message || String(error))
  }
  const onClose = (): void => fail('ECONNRESET', 'The connection was closed at once.')
  const onAbort = (): void => fail('ETIMEDOUT', 'There was no connection in the time allowed.')
  const settle = (): void => {
    socket.off('error', onError)
    socket.off('close', onClose)
    options.signal.removeEventListener('abort', onAbort)
  }
  socket.on('error', onError)
  socket.on('close', onClose)
  socket.once('connect', () => {
    if (secure) during = 'tls'
  })
  socket.once(secure ? 'secureConnect' : 'connect', () => {
    const tls = 'alpnProtocol' in socket ? socket : undefined
    resolve({
      socket,
      http2: tls?.alpnProtocol === 'h2',
      certificate: tls && !tls.authorized ? String(tls.authorizationError) : undefined,
    })
  })
  if (options.signal.aborted) onAbort()
  else options.signal.addEventListener('abort', onAbort)
  return promise.finally(settle)
}

export class DialFailure extends Error {
  readonly failure: Failure
  constructor(failure: Failure) {
    super(failure.message)
    this.failure = failure
  }
}

/** The host of a URL as the system's calls want it: IPv6 addresses without their brackets. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1')
}

function deferred<T>() {
  let resolve!: (value: T) => void // set before the constructor returns
  let reject!: (error: Error) => void // the same
  const promise = new Promise<T>((one, two) => {
    resolve = one
    reject = two
  })
  return { promise, resolve, reject }
}

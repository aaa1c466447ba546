// One request over a connection of its own, watched up to its end, a deadline or the caller's word, whichever comes
// first. It tells what happened as plain data, and leaves nothing open.

import { type Carrier, overHttp1, overHttp2 } from './carriers.ts'
import { DialFailure, type Dialled, dial } from './dial.ts'
import { Inflate } from './inflate.ts'
import type { EndSeen, Exchange, Failure, ResponseSeen } from './observations.ts'
import { MAX_BODY_BYTES, StreamWatch } from './stream-watch.ts'

export interface Request {
  readonly url: URL
  readonly method: 'GET' | 'OPTIONS'
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly insecure: boolean
  readonly http2: boolean
  /** Whether the body is read; what only wants an answer leaves it to the kernel. */
  readonly read: boolean
  /** How long it may take in all, in milliseconds. */
  readonly within: number
}

/** A request on its way. What it has seen can be looked at at any time. */
export interface Running {
  seen(): Exchange
  /** Settles when there is a response, or there will be none. */
  readonly answered: Promise<void>
  /** Settles when it is over and its connection is gone. */
  readonly over: Promise<void>
  /** Settles when `done` holds, judged at every piece that comes, or it is over. */
  until(done: (seen: Exchange) => boolean): Promise<void>
  stop(): void
}

export function exchange(request: Request): Running {
  const start = performance.now()
  const now = (): number => performance.now() - start
  const watch = new StreamWatch()
  const abort = new AbortController()
  let connectedAt: number | undefined
  let sentAt: number | undefined
  let failure: Failure | undefined
  let response: ResponseSeen | undefined
  let end: EndSeen | undefined
  let certificate: string | undefined
  let watchedUntil: number | undefined
  let wireBytes = 0
  let firstWireByteAt: number | undefined
  let lastWireByteAt: number | undefined
  let inflate: Inflate | undefined
  let carrier: Carrier | undefined
  let waiting: { done: (seen: Exchange) => boolean; resolve: () => void }[] = []

  const answered = gate()
  const over = gate()
  const timer = setTimeout(stop, request.within)

  function seen(): Exchange {
    return {
      url: request.url.href,
      connectedAt,
      sentAt,
      failure,
      response,
      body: response && watch.seen({ wireBytes, firstWireByteAt, lastWireByteAt }),
      end,
      watchedUntil: watchedUntil ?? now(),
      certificate,
    }
  }

  /** The last thing that happens, once. */
  function finish(): void {
    if (watchedUntil !== undefined) return
    watchedUntil = now()
    clearTimeout(timer)
    inflate?.destroy()
    carrier?.destroy()
    look()
    answered.open()
    over.open()
  }

  function stop(): void {
    abort.abort()
    // While it still dials, the abort ends that, and says why.
    if (carrier) finish()
  }

  function look(): void {
    if (waiting.length === 0) return
    const before = waiting
    const state = seen()
    waiting = before.filter(({ done, resolve }) => {
      const settled = watchedUntil !== undefined || done(state)
      if (settled) resolve()
      return !settled
    })
  }

  function decoded(bytes: Uint8Array): void {
    if (!watch.write(bytes, now())) finish()
    else look()
  }

  function begin({ socket, http2, certificate: fault }: Dialled): void {
    connectedAt = now()
    certificate = fault
    // Until the carrier has it: Node may refuse to send what the user gave.
    carrier = { destroy: () => socket.destroy() }
    carrier = (http2 ? overHttp2 : overHttp1)(socket, request, {
      sent() {
        sentAt ??= now()
      },
      response(head) {
        response = { ...head, at: now() }
        const coding = head.headers['content-encoding']?.trim().toLowerCase() ?? ''
        if (coding !== '' && coding !== 'identity') {
          inflate = new Inflate(coding, decoded, () => watch.stop('bad-compression'))
        }
        answered.open()
        look()
      },
      bytes(bytes) {
        wireBytes += bytes.length
        lastWireByteAt = now()
        firstWireByteAt ??= lastWireByteAt
        if (wireBytes > MAX_BODY_BYTES) {
          watch.stop('flood')
          finish()
        } else if (inflate) inflate.write(bytes)
        else decoded(bytes)
      },
      async ended(how, code) {
        end ??= { at: now(), how, code }
        // What came just before the end is still being decompressed.
        await inflate?.finished()
        finish()
      },
      failed(code, message) {
        failure = { code, message, during: 'response' }
        finish()
      },
    })
    if (abort.signal.aborted) finish()
  }

  dial(request.url, { insecure: request.insecure, http2: request.http2, signal: abort.signal })
    .then(begin)
    .catch((error: unknown) => {
      failure = error instanceof DialFailure ? error.failure : unexpected(error)
      finish()
    })

  return {
    seen,
    answered: answered.passed,
    over: over.passed,
    until: (done) =>
      new Promise((resolve) => {
        waiting.push({ done, resolve })
        look()
      }),
    stop,
  }
}

/** A request that Node refuses to send, by a header of the user's or an id of the server's. */
function unexpected(error: unknown): Failure {
  return {
    code: 'ERROR',
    message: error instanceof Error ? error.message : String(error),
    during: 'response',
  }
}

function gate(): { open: () => void; passed: Promise<void> } {
  let open = (): void => {}
  const passed = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open: () => open(), passed }
}

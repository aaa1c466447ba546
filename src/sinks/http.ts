// The sink over node:http and node:https: one ServerResponse. It writes through the response's public interface only
// (never to res.socket, never under res.cork) and tells its connection when the kernel has the bytes.

import { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Sink, SinkFailure, SinkOwner } from '../core/sink.ts'

/** What the kernel says when it gave a silent peer up: keep-alive probes or retransmission ran out, or no route is left. */
const DEAD = new Set(['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN'])

export class HttpSink implements Sink {
  readonly #response: ServerResponse
  /** Kept, for the response loses it on the way out, and it knows why it closed. */
  readonly #socket: Socket | null
  readonly #wrapped: boolean
  #owner: SinkOwner | undefined

  constructor(response: ServerResponse) {
    this.#response = response
    this.#socket = response.socket
    this.#wrapped = isWrapped(response)
  }

  attach(owner: SinkOwner): void {
    this.#owner = owner
    this.#response.on('close', this.#closed)
    // An error that nobody listens to would end the process; `close` follows and says all there is to say.
    this.#response.on('error', ignore)
    if (this.#wrapped) this.#response.on('drain', this.#taken)
  }

  write(bytes: Uint8Array): void {
    // Between the destruction of the socket and `close`, and when the application itself has ended the response, a write
    // would be an error event. `close` follows.
    if (this.#response.destroyed || this.#response.writableEnded) return
    const buffer = bufferOf(bytes)
    if (!this.#wrapped) {
      // The callback comes when the kernel has taken the whole write. Neither the return value nor writableLength says
      // so: node:http corks the socket around each write until the next tick.
      this.#response.write(buffer, this.#taken)
      return
    }
    // A middleware's write may drop the callback (compression does); its return value and `drain` remain.
    const flowing = this.#response.write(buffer)
    flush(this.#response)
    if (flowing) process.nextTick(this.#taken)
  }

  end(): void {
    if (!this.#response.destroyed && !this.#response.writableEnded) this.#response.end()
  }

  destroy(): void {
    this.#response.destroy()
  }

  // One closure per connection, for all of its writes.
  readonly #taken = (): void => {
    if (!this.#response.destroyed) this.#owner?.taken()
  }

  readonly #closed = (): void => {
    const owner = this.#owner
    this.#owner = undefined
    this.#response.off('close', this.#closed)
    this.#response.off('error', ignore)
    if (this.#wrapped) this.#response.off('drain', this.#taken)
    owner?.sinkClosed(this.#failure())
  }

  #failure(): SinkFailure {
    const cause: unknown = this.#socket?.errored
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    return typeof code === 'string' && DEAD.has(code) ? 'dead' : 'client'
  }
}

/** Whether a middleware stands between us and the response: then framing and callbacks are its business. */
export function isWrapped(response: ServerResponse): boolean {
  return response.write !== ServerResponse.prototype.write
}

/** `compression` gathers what it is given until it is told to let go. */
function flush(response: ServerResponse): void {
  if ('flush' in response && typeof response.flush === 'function') response.flush()
}

function ignore(): void {}

let lastBytes: Uint8Array | undefined
let lastBuffer: Buffer | undefined

/**
 * The same memory as a Buffer. node:net wraps every Uint8Array in a new one; the same bytes go to thousands of
 * connections in a row, so the last wrapping is kept.
 */
function bufferOf(bytes: Uint8Array): Buffer {
  if (bytes !== lastBytes || !lastBuffer) {
    lastBytes = bytes
    lastBuffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
  return lastBuffer
}

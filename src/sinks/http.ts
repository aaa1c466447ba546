// The sink over node:http and node:https: one ServerResponse. It writes through the response's public interface only
// (never to res.socket, never under res.cork) and tells its connection when the kernel has the bytes.

import { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Sink, SinkFailure, SinkOwner } from '../core/sink.ts'
import { bufferOf } from './buffer.ts'
import { isDeadSocket } from './dead.ts'

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
    return isDeadSocket(this.#socket?.errored) ? 'dead' : 'client'
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

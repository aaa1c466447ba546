// The sink over HTTP/2: one stream of a session, through node:http2's public interface. Flow control is the stream's own:
// a client that withholds its window delays this sink's `taken` and no other's.

import type { ServerHttp2Stream } from 'node:http2'
import type { Sink, SinkFailure, SinkOwner } from '../core/sink.ts'
import { bufferOf } from './buffer.ts'
import { isDeadSocket } from './dead.ts'
import { type Pulse, pulseOf } from './pulse.ts'

/** RFC 9113, section 7: CANCEL, "the stream is no longer needed". */
const CANCEL = 8

export class Http2Sink implements Sink {
  readonly #stream: ServerHttp2Stream
  readonly #pulse: Pulse | undefined
  #owner: SinkOwner | undefined
  #error: unknown

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream
    this.#pulse = stream.session && pulseOf(stream.session)
  }

  attach(owner: SinkOwner): void {
    this.#owner = owner
    this.#stream.on('error', this.#failed)
    this.#stream.on('close', this.#closed)
  }

  write(bytes: Uint8Array): void {
    // `close` follows, or has come.
    if (this.#stream.destroyed || this.#stream.closed || this.#stream.writableEnded) return
    this.#stream.write(bufferOf(bytes), this.#taken)
    this.#pulse?.wrote(bytes.length)
  }

  end(): void {
    if (!this.#stream.destroyed && !this.#stream.writableEnded) this.#stream.end()
  }

  destroy(): void {
    // A reset tells the client that the stream was cut; what was queued is let go at once.
    if (!this.#stream.closed) this.#stream.close(CANCEL)
    this.#stream.destroy()
  }

  readonly #taken = (error?: Error | null): void => {
    if (!error && !this.#stream.destroyed) this.#owner?.taken()
  }

  readonly #failed = (error: unknown): void => {
    this.#error = error
  }

  readonly #closed = (): void => {
    const owner = this.#owner
    this.#owner = undefined
    this.#stream.off('close', this.#closed)
    owner?.sinkClosed(this.#failure())
  }

  #failure(): SinkFailure {
    return this.#pulse?.dead || isDeadSocket(this.#error) ? 'dead' : 'client'
  }
}

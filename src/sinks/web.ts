// The sink over Streams: the body of a Response, which whoever serves it reads. Nothing of Node is needed here.

import type { Sink, SinkOwner } from '../core/sink.ts'

export class WebSink implements Sink {
  /** The response's body. Whoever reads it **must not** change the chunks: every connection shares them. */
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>
  /** Held as long as the stream is: a request that was collected tells its signal no more. */
  readonly #request: Pick<Request, 'signal'> | undefined
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #owner: SinkOwner | undefined
  /** A write lies in the stream's queue, or its reader has not come back for more. */
  #untaken = false
  #ending = false
  #closed = false

  /** @param request whose signal is aborted when its client is gone */
  constructor(request: Pick<Request, 'signal'> | undefined) {
    this.#request = request
    // Nothing is read ahead: `pull` comes when the reader has used up all it was given and asks for more, and one write
    // at a time is under way. So what is held is counted by the connection, in bytes, and never by the stream, in chunks.
    // Not a byte stream: that would take the frame's memory away from all other connections.
    this.body = new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        start: (controller) => {
          this.#controller = controller
        },
        pull: () => this.#pulled(),
        cancel: () => this.#gone(),
      },
      { highWaterMark: 0 },
    )
  }

  attach(owner: SinkOwner): void {
    this.#owner = owner
    this.#request?.signal.addEventListener('abort', this.#aborted)
    // It may have come while the application decided how to answer. Not at once: nothing was written yet.
    if (this.#request?.signal.aborted) queueMicrotask(this.#aborted)
  }

  write(bytes: Uint8Array): void {
    if (this.#closed) return
    this.#untaken = true
    this.#controller?.enqueue(bytes)
  }

  end(): void {
    this.#ending = true
    if (!this.#untaken) this.#finish()
  }

  destroy(): void {
    if (this.#closed) return
    // What is queued is let go, and the transport cuts the response short instead of ending it well.
    this.#controller?.error(new Error('The event stream was given up by its server.'))
    this.#gone()
  }

  #pulled(): void {
    if (!this.#untaken) return
    this.#untaken = false
    if (this.#ending) this.#finish()
    else this.#owner?.taken()
  }

  #finish(): void {
    if (this.#closed) return
    this.#controller?.close()
    this.#gone()
  }

  // Some runtimes abort a request's signal without cancelling the body. Nobody reads it any more; an error would be
  // reported for every client that leaves (@hono/node-server does).
  readonly #aborted = (): void => this.#finish()

  #gone(): void {
    if (this.#closed) return
    this.#closed = true
    this.#request?.signal.removeEventListener('abort', this.#aborted)
    const owner = this.#owner
    this.#owner = undefined
    owner?.sinkClosed('client')
  }
}

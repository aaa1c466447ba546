// A sink in memory, for the core's own logic: it keeps what it is given, and takes a write in the next turn of a clock,
// or, without one, when told.

import type { Clock } from '../../src/core/clock.ts'
import type { Sink, SinkFailure, SinkOwner } from '../../src/core/sink.ts'
import { createDecoder, type DecodedEvent } from '../../src/event-stream.ts'

export class MemorySink implements Sink {
  readonly writes: Uint8Array[] = []
  ended = false
  destroyed = false
  /** Takes writes by itself in its next turn; without one it is a reader that stopped reading. */
  clock: Clock | undefined
  #owner: SinkOwner | undefined
  #untaken = 0
  #closed = false

  constructor(clock?: Clock) {
    this.clock = clock
  }

  attach(owner: SinkOwner): void {
    this.#owner = owner
  }

  write(bytes: Uint8Array): void {
    if (this.ended || this.destroyed) throw new Error('written to after its end')
    if (this.#untaken > 0) throw new Error('written to before the last write was taken')
    this.writes.push(bytes)
    this.#untaken += 1
    // As a real one: never before write() has returned.
    this.clock?.soon(() => this.take())
  }

  /** The transport has taken the last write. */
  take(): void {
    if (this.#untaken === 0) return
    this.#untaken = 0
    this.#owner?.taken()
    if (this.ended) this.close()
  }

  end(): void {
    this.ended = true
    if (this.#untaken === 0) this.close()
  }

  destroy(): void {
    this.destroyed = true
    this.close()
  }

  /** The transport closes, by itself or because it was asked to. */
  close(failure: SinkFailure = 'client'): void {
    if (this.#closed) return
    this.#closed = true
    this.#owner?.sinkClosed(failure)
  }

  get text(): string {
    return Buffer.concat(this.writes).toString()
  }

  get events(): DecodedEvent[] {
    const events: DecodedEvent[] = []
    const decoder = createDecoder((event) => events.push(event))
    for (const bytes of this.writes) decoder.write(bytes)
    return events
  }

  /** The data of the messages, without gap events. */
  get data(): string[] {
    return this.events.filter(({ event }) => event !== 'gap').map(({ data }) => data)
  }
}

// The event that all peers send: a marker that occurs once and nowhere else in a stream, the time of publishing, and
// letters up to the size asked for.

/** One byte, so that it cannot be split by a read: counting events is counting these. No header, id or field has it. */
export const MARKER = 0x7e
/** Microseconds of the monotonic clock, which all processes of a machine share, in digits of this number. */
export const DIGITS = 16
/** What `id: 12345678`, `data: ` and the line ends take, so that `size` is about what an event takes on the wire. */
const FRAMING = 30

export interface BenchEvent {
  /** Counts from 1. */
  id: number
  data: string
}

export class EventMaker {
  readonly #padding: string
  #id = 0

  constructor(size: number) {
    this.#padding = 'x'.repeat(Math.max(0, size - FRAMING - DIGITS - 1))
  }

  /** An event published now, or at `micros` where it was due then. */
  make(micros: number = nowMicros()): BenchEvent {
    this.#id += 1
    return {
      id: this.#id,
      data: `~${String(Math.floor(micros)).padStart(DIGITS, '0')}${this.#padding}`,
    }
  }

  burst(count: number): BenchEvent[] {
    return Array.from({ length: count }, () => this.make())
  }
}

export function nowMicros(): number {
  return Number(process.hrtime.bigint()) / 1_000
}

// The checker: one witness per client, over all of its connections. It sees what the client saw, in that order, and knows
// the one sequence that was published; whatever is out of order, double, or missing without a gap event, it says.

import { numberOf, positionOf } from './events.ts'
import type { Figures, Report } from './scenario.ts'

/** One block of an event stream, as a client reads it (HTML, section 9.2.6). */
export interface Block {
  event: string
  /** `undefined` for a block without data, which fires nothing. */
  data: string | undefined
  id: string | undefined
  /** Comment lines, a heartbeat among them. */
  comments: number
}

interface GapTold {
  reason: string
  requested: string | null
  oldest: string | null
  newest: string | null
}

export class Witness {
  /** Everything up to this number was received, or named in a gap event. */
  last = 0
  /** What the client would send as Last-Event-ID. */
  lastEventId = ''
  received = 0
  readonly gaps: string[] = []
  readonly #report: Report
  readonly #name: string
  #epoch = ''
  /** The stream has just opened: how the server says that it resumed. */
  #resume: string | undefined
  #placed = false
  /** A gap was told, and no event has followed it yet. */
  #inGap = false

  constructor(report: Report, name: string) {
    this.#report = report
    this.#name = name
  }

  get #figures(): Figures {
    return this.#report.figures
  }

  /** A connection of this client has opened; `resume` is its Sluice-Resume header. */
  opened(resume: string | undefined): void {
    this.#resume = resume
    this.#inGap = false
    const asked = this.lastEventId !== ''
    if (asked ? resume !== 'full' && resume !== 'gap' : resume !== 'none') {
      this.#fault(`Sluice-Resume is ${resume} for a last event ID of "${this.lastEventId}"`)
    }
    // Without an id to resume from, a client starts where the server puts it.
    if (!asked) this.#placed = false
  }

  /** What the client reads next is from the beginning of what is kept. */
  startsAtOldest(): void {
    this.#placed = true
  }

  saw(block: Block): void {
    const resume = this.#resume
    if (block.event === 'gap' && block.data !== undefined) this.#gap(block.data, block.id, resume === 'gap')
    else if (block.data !== undefined) this.#event(block.data, block.id)
    else if (block.id !== undefined) this.#place(block.id)
    if (block.id !== undefined) this.lastEventId = block.id
    if (block.data !== undefined) this.#resume = undefined
  }

  /** Everything up to `newest` has been published, and the client has had its time. */
  finish(newest: number): void {
    if (this.last >= newest) return
    this.#figures.lost += newest - this.last
    this.#fault(`never got ${this.last + 1} to ${newest}`)
  }

  /** The block that only says where the stream starts. */
  #place(id: string): void {
    const { epoch, sequence } = positionOf(id)
    if (!this.#placed) this.last = sequence
    else if (sequence > this.last) {
      this.#figures.lost += sequence - this.last
      this.#fault(`was moved from ${this.last} to ${sequence} without a word`)
      this.last = sequence
    }
    this.#epoch = epoch
    this.#placed = true
  }

  #event(data: string, id: string | undefined): void {
    this.#inGap = false
    this.received += 1
    this.#figures.received += 1
    const n = numberOf(data)
    if (n === undefined || id === undefined) {
      this.#fault(`got a broken event, id ${id}: ${JSON.stringify(data.slice(0, 80))}`)
      return
    }
    const { epoch, sequence } = positionOf(id)
    if (sequence !== n) this.#fault(`got ${n} under the id ${id}`)
    if (this.#epoch !== '' && epoch !== this.#epoch) this.#fault(`met the epoch ${epoch} without a gap`)
    this.#epoch = epoch
    if (n <= this.last) {
      this.#figures.doubled += 1
      this.#fault(`got ${n} after ${this.last}`)
      return
    }
    if (this.#placed && n > this.last + 1) {
      this.#figures.lost += n - this.last - 1
      this.#fault(`got ${n} after ${this.last}, and no word of those between`)
    }
    this.#placed = true
    this.last = n
  }

  #gap(data: string, id: string | undefined, atOpening: boolean): void {
    const gap = JSON.parse(data) as GapTold // what it holds is checked below
    this.gaps.push(gap.reason)
    // Or a reader that has once fallen behind might get gaps and nothing else.
    if (this.#inGap) this.#fault('was told of two gaps and got no event between them')
    this.#inGap = !atOpening
    // Right behind the gap of its opening, a stream that falls off goes on from where that ended.
    if (gap.requested !== this.lastEventId && gap.requested !== `${this.#epoch}-${this.last}`)
      this.#fault(`a gap after ${gap.requested}, it was at ${this.lastEventId} and ${this.last}`)
    // A stream that opens with a gap goes on live, from the id it is given; one that falls off the log, with the oldest
    // event kept.
    const end = atOpening ? (id ?? null) : gap.oldest
    if (end === null) {
      this.#fault('a gap that says not up to where')
      return
    }
    const { epoch, sequence } = positionOf(end)
    const through = atOpening ? sequence : sequence - 1
    if (gap.reason === 'epoch') {
      if (epoch === this.#epoch) this.#fault('a gap of an epoch that is its own')
      this.#epoch = epoch
      this.last = through
      return
    }
    if (gap.reason !== 'evicted') this.#fault(`a gap of the reason ${gap.reason}`)
    // Between a gap and the next event a client may reconnect, and is told again what it knows.
    if (through < this.last) this.#fault(`a gap up to ${through}, it had ${this.last}`)
    this.#figures.told += Math.max(0, through - this.last)
    this.last = Math.max(this.last, through)
  }

  #fault(what: string): void {
    this.#report.fail(`${this.#name} ${what}`)
  }
}

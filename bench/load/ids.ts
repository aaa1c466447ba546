// What the ids of events tell: duplicates, and events that a client missed. Ids need not be without holes (a channel
// of a hub has some of the hub's positions only), so a client is held against all that the clients of this process
// saw: what others saw between its first and its last event, and it did not, it missed.

/** Sluice's own ids, `<epoch>-<sequence>`, and plain numbers, whose life has no name. */
const SEQUENTIAL = /^(?:([0-9a-z]{10})-)?(0|[1-9][0-9]{0,14})$/
/** Beyond this many different ids in one run, missed events are no longer counted: a Set has an end, and so has memory. */
const MAX_IDS = 4_000_000

export interface Place {
  /** One life of the server's log: its epoch, or `''`. */
  life: string
  sequence: number
}

/** A stretch of one life's sequence, `from` excluded, of which a client saw `seen` events. */
interface Span {
  life: string
  from: number
  to: number
  seen: number
  /** Passed while its stream was open, or while it was away. */
  kind: 'open' | 'away'
}

/** Every id that any client of this process saw, and the spans to hold against them. */
export class Ids {
  readonly #lives = new Map<string, Set<number>>()
  readonly #spans: Span[] = []
  #size = 0
  #lastId = ''
  #lastPlace: Place | undefined

  /** Where an id stands, or nothing when it is of a form that does not say. */
  place(id: string): Place | undefined {
    // A fan-out brings the same id to every client in turn.
    if (id === this.#lastId) return this.#lastPlace
    const match = SEQUENTIAL.exec(id)
    this.#lastId = id
    this.#lastPlace = match ? { life: match[1] ?? '', sequence: Number(match[2]) } : undefined
    return this.#lastPlace
  }

  saw({ life, sequence }: Place): void {
    let known = this.#lives.get(life)
    if (!known) {
      known = new Set()
      this.#lives.set(life, known)
    }
    const before = known.size
    if (this.#size < MAX_IDS) known.add(sequence)
    this.#size += known.size - before
  }

  span(span: Span): void {
    if (span.to > span.from) this.#spans.push(span)
  }

  get lives(): number {
    return this.#lives.size
  }

  /** Events missed on open streams and while away; nothing when there were too many ids to tell. */
  missed(): { open: number; away: number } | undefined {
    if (this.#size >= MAX_IDS) return undefined
    const sorted = new Map<string, Float64Array>()
    for (const [life, known] of this.#lives) sorted.set(life, Float64Array.from(known).sort())
    const missed = { open: 0, away: 0 }
    for (const { life, from, to, seen, kind } of this.#spans) {
      const known = sorted.get(life)
      if (known) missed[kind] += Math.max(0, upTo(known, to) - upTo(known, from) - seen)
    }
    return missed
  }
}

/** How many of the sorted numbers are not greater than `value`. */
function upTo(sorted: Float64Array, value: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] as number) <= value) low = middle + 1
    else high = middle
  }
  return low
}

/** What became of one event's id. `none`: it has no id of its own. */
export type Verdict = 'sequential' | 'duplicate' | 'opaque' | 'none'

/** The ids that one client sees, over all its streams. */
export class Trail {
  readonly #ids: Ids
  #life = ''
  /** The highest sequence seen in this life, and by how many events since `#from`. Undefined before the first. */
  #last: number | undefined
  #from = 0
  #seen = 0
  /** The last event ID of the stream, by which an event without an id of its own is known. */
  #current = ''
  #fingerprint = ''
  #away = false

  constructor(ids: Ids) {
    this.#ids = ids
  }

  /** A stream opened. */
  opened(): void {
    this.#current = ''
    this.#away = this.#last !== undefined
  }

  event(name: string, data: string, id: string): Verdict {
    if (id === this.#current) return 'none'
    this.#current = id
    const place = this.#ids.place(id)
    if (!place) return 'opaque'
    if (name === 'gap' && place.life !== '') {
      // Sluice names what is lost, and moves the client's place past it: it is no event of the sequence.
      this.#moveTo(place)
      return 'sequential'
    }
    this.#ids.saw(place)
    const fingerprint = print(data)
    if (this.#last !== undefined && place.life === this.#life && place.sequence <= this.#last) {
      // The first block of a stream may repeat the place it starts from, and the next event have no id of its own.
      if (this.#away && place.sequence === this.#last && fingerprint !== this.#fingerprint) return 'none'
      return 'duplicate'
    }
    this.#arrive(place)
    this.#fingerprint = fingerprint
    return 'sequential'
  }

  /** The last event ID after a piece of the stream: it may have moved by a block that fired nothing. */
  settled(id: string): void {
    if (id === this.#current) return
    this.#current = id
    const place = this.#ids.place(id)
    if (place) this.#moveTo(place)
  }

  /** The stream is over. */
  closed(): void {
    this.#endSpan()
  }

  #moveTo(place: Place): void {
    if (this.#last !== undefined && place.life === this.#life && place.sequence <= this.#last) return
    this.#begin(place, place.sequence)
    this.#last = place.sequence
  }

  #arrive(place: Place): void {
    this.#begin(place, place.sequence - 1)
    this.#last = place.sequence
    this.#seen += 1
  }

  /** Opens a span at `from` where there is none: at the first event ever, after an absence, and in another life. */
  #begin({ life }: Place, from: number): void {
    if (this.#last === undefined || life !== this.#life) {
      this.#endSpan()
      this.#life = life
      this.#from = from
      this.#seen = 0
    } else if (this.#away) {
      this.#ids.span({ life, from: this.#last, to: from, seen: 0, kind: 'away' })
      this.#from = from
      this.#seen = 0
    }
    this.#away = false
  }

  #endSpan(): void {
    if (this.#last === undefined || this.#away) return
    this.#ids.span({ life: this.#life, from: this.#from, to: this.#last, seen: this.#seen, kind: 'open' })
    this.#from = this.#last
    this.#seen = 0
  }
}

/** Tells two events apart well enough, without keeping their data: a client holds one of these. */
function print(data: string): string {
  return `${data.length}:${data.slice(0, 12)}${data.slice(-12)}`
}

// A frame: one event, encoded once into immutable bytes, at its position in the log. Every connection that reads it
// writes these same bytes. It knows nothing of channels' readers, nor of how bytes leave.

/** An event as filters and variants see it: what was published, and where it stands. */
export interface PublishedEvent {
  readonly channel: string
  /** The id on the wire: the publisher's own, or the minted position. */
  readonly id: string
  /** The event's name; `'message'` when the publisher gave none. */
  readonly event: string
  /** The value that was published, not its serialised form. It belongs to the hub from then on: do not change it. */
  readonly data: unknown
  readonly key: string | undefined
}

export class Frame {
  readonly sequence: number
  /** When it was published, on the hub's clock. */
  readonly at: number
  readonly bytes: Uint8Array
  readonly event: PublishedEvent
  /** Whether the publisher gave the id itself; such ids are found by name, minted ones by arithmetic. */
  readonly ownId: boolean
  /** A newer frame carries the same key: set by the log, and only by a log that conflates. */
  superseded = false
  /** Bytes held for this frame, its variants included. */
  size: number
  /** Encodings made for variants, by name; `null` where the variant leaves this event out. */
  variants: Map<string, Uint8Array | null> | undefined

  constructor(sequence: number, at: number, bytes: Uint8Array, event: PublishedEvent, ownId: boolean) {
    this.sequence = sequence
    this.at = at
    this.bytes = bytes
    this.event = event
    this.ownId = ownId
    this.size = bytes.length
    this.variants = undefined
  }
}

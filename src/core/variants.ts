// Variants: other shapes of the same events, for instance one per version of a payload. A variant is encoded once
// per event, whatever the number of connections that read it.

import type { ChannelState } from './channel.ts'
import { SluiceError } from './errors.ts'
import { checkSendable } from './event.ts'
import { type EventInput, encodeText, serializeData } from './event-stream/encode.ts'
import type { Frame } from './frame.ts'
import { describeGap, encodeGap } from './gap.ts'
import { isThenable } from './thenable.ts'
import type { AnyChannels, TypedPublished } from './typed.ts'

/**
 * Turns an event into the shape that a variant's readers get: `event`, `data`, `comment` and `retry` of what it
 * returns (the id stays). `undefined` leaves the event out for this variant. Called once per event while the variant
 * has readers, at publication; for older events when the first reader of the variant replays them.
 */
export type VariantTransform<Channels extends object = AnyChannels> = (
  event: TypedPublished<Channels>,
) => EventInput | undefined

export interface VariantsHost {
  readonly maxEventBytes: number
  readonly serialize: (data: unknown) => string
  report(error: unknown, context: { during: 'variant'; channel: string }): void
}

export class Variant {
  readonly name: string
  /** Connections that read it now. */
  readers = 0
  readonly #transform: VariantTransform
  readonly #host: VariantsHost

  constructor(name: string, transform: VariantTransform, host: VariantsHost) {
    this.name = name
    this.#transform = transform
    this.#host = host
  }

  /** The bytes of `frame` in this shape, `null` when the variant leaves it out; encoded at the first call. */
  bytesOf(frame: Frame, channel: ChannelState): Uint8Array | null {
    const known = frame.variants?.get(this.name)
    if (known !== undefined) return known
    const bytes = this.#encode(frame, channel)
    frame.variants ??= new Map()
    frame.variants.set(this.name, bytes)
    if (bytes) channel.log.grow(frame, bytes.length)
    return bytes
  }

  /** A transform that throws must not make a silent hole: its readers get a gap in place of the event. */
  #encode(frame: Frame, channel: ChannelState): Uint8Array | null {
    const { id } = frame.event
    try {
      const input = this.#transform(frame.event)
      if (input === undefined) return null
      refusePromise(input)
      checkSendable(input)
      const data = serializeData(input.data, this.#host.serialize)
      const { event, comment, retry } = input
      return encodeText({ event, id, data, comment, retry }, this.#host.maxEventBytes)
    } catch (error) {
      this.#host.report(error, { during: 'variant', channel: channel.name })
      return encodeGap(describeGap('unknown', channel.name, id, channel.log), id)
    }
  }
}

function refusePromise(input: unknown): void {
  if (!isThenable(input)) return
  input.then(undefined, () => {})
  throw new SluiceError(
    'SLUICE_BAD_EVENT',
    'A variant returned a promise; it must return the event at once, or undefined: what it needs must be at hand when the event is published.',
  )
}

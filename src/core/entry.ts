// An event on its way through a bus: what one process published, in the bytes that every other reads. The id is missing:
// the bus gives it, by the position it stores the event at.

import type { EventText } from './event-stream/encode.ts'
import type { PublishedEvent } from './frame.ts'

/** What travels. */
export interface SharedEvent extends EventText {
  /** The data was a string as published, and no serialiser's work. */
  verbatim: boolean
  key?: string | undefined
  /** It ends its channel. */
  final: boolean
}

/** The first element of every body: another form gets another number, and older processes skip what they do not know. */
const FORM = 1

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export function encodeEntry({
  event,
  data,
  id,
  retry,
  comment,
  verbatim,
  key,
  final,
}: SharedEvent): Uint8Array {
  return encoder.encode(JSON.stringify([FORM, event, data, id, retry, comment, verbatim, key, final]))
}

/** `undefined` for what no hub has written, or a newer one. */
export function decodeEntry(body: Uint8Array): SharedEvent | undefined {
  let value: unknown
  try {
    value = JSON.parse(decoder.decode(body))
  } catch {
    return undefined
  }
  if (!Array.isArray(value) || value[0] !== FORM) return undefined
  const [, event, data, id, retry, comment, verbatim, key, final] = value as unknown[]
  const texts = [event, data, id, comment, key].map(textOf)
  if (texts.includes(null) || (typeof retry !== 'number' && (retry ?? undefined) !== undefined))
    return undefined
  const [eventText, dataText, idText, commentText, keyText] = texts as (string | undefined)[] // none is null: tested above
  return {
    event: eventText,
    data: dataText,
    id: idText,
    retry: typeof retry === 'number' ? retry : undefined,
    comment: commentText,
    verbatim: verbatim === true,
    key: keyText,
    final: final === true,
  }
}

/** `null` for what is neither text nor missing, which JSON writes as null. */
function textOf(value: unknown): string | undefined | null {
  if (value === null || value === undefined) return undefined
  return typeof value === 'string' ? value : null
}

/** An event that came over a bus, as filters and variants see it: its data is parsed when the first of them asks. */
export class ArrivedEvent implements PublishedEvent {
  readonly channel: string
  readonly id: string
  readonly event: string
  readonly key: string | undefined
  readonly #text: string | undefined
  readonly #parse: ((text: string) => unknown) | undefined
  #data: unknown
  #parsed = false

  /** @param parse turns the text back into what was published; `undefined` where the text is that */
  constructor(
    channel: string,
    id: string,
    { event, data, key }: SharedEvent,
    parse: ((text: string) => unknown) | undefined,
  ) {
    this.channel = channel
    this.id = id
    this.event = event || 'message'
    this.key = key
    this.#text = data
    this.#parse = parse
  }

  get data(): unknown {
    if (!this.#parsed) {
      this.#data = this.#text === undefined || !this.#parse ? this.#text : this.#parse(this.#text)
      this.#parsed = true
    }
    return this.#data
  }
}

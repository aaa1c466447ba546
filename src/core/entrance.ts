// From a request to a connection: what asks for no stream is answered, the rest starts where its client left off.
// It knows HTTP's meaning, not what carries it; doors translate.

import { addressKey } from './address.ts'
import type { Admission, Refusal } from './admission.ts'
import { concat } from './bytes.ts'
import type { ChannelState } from './channel.ts'
import type { CheckedConnectOptions } from './connect-options.ts'
import { Connection, type ConnectionHost } from './connection.ts'
import type { HeaderList } from './cors.ts'
import { Cursor } from './cursor.ts'
import { encodeText } from './event-stream/encode.ts'
import { encodeGap } from './gap.ts'
import type { HubSettings } from './hub-options.ts'
import type { Opened } from './lifetimes.ts'
import {
  type Answer,
  answerByMethod,
  NOTHING_LEFT,
  type RefusalForm,
  type RequestFacts,
  refusalForm,
  refused,
  refusedGap,
  requestedId,
  STREAM_HEADERS,
} from './opening.ts'
import { neededFrom, type RequestedId, readable, type Start, startOf } from './resume.ts'
import type { Sink } from './sink.ts'
import { Variant, type VariantsHost } from './variants.ts'

/** A stream about to open: its response headers, and the connection once there is a sink. */
export interface Opening {
  readonly headers: HeaderList
  /** @param encoding the Content-Encoding that the response turned out to have, with what a middleware added */
  begin(sink: Sink, encoding?: string): Connection
}

export interface EntranceHost extends ConnectionHost, VariantsHost {
  readonly settings: HubSettings
  readonly position: string
  readonly admission: Admission
  refused(refusal: Refusal, form: RefusalForm, key: string | undefined): void
  report(
    error: unknown,
    context: { during: 'variant' | 'filter' | 'pipe' | 'write' | 'cors'; channel?: string },
  ): void
  /** With a bus: reads back what these channels published after a position; settles when that is done. */
  readonly recall:
    | ((after: number, channels: readonly string[], gone: Promise<unknown>) => Promise<void>)
    | undefined
  connectionOpened(connection: Connection, gaps: number, opened: Opened): void
  announce(connection: Connection): void
}

/** Times that a connection's channels are read back, should they be dropped while it waits. */
const MOST_PASSES = 3

export class Entrance {
  readonly #host: EntranceHost
  readonly variants: ReadonlyMap<string, Variant>
  #lastId = 0

  constructor(host: EntranceHost) {
    this.#host = host
    const transforms = Object.entries(host.settings.variants)
    this.variants = new Map(transforms.map(([name, transform]) => [name, new Variant(name, transform, host)]))
  }

  /** Decides how a request is answered. Nothing is published between this and `begin`, or it would slip through. */
  receive(facts: RequestFacts, options: CheckedConnectOptions): Answer | Opening {
    const corsHeaders = this.#corsHeaders(facts, options)
    const key = options.key ?? (facts.address === undefined ? undefined : addressKey(facts.address))
    const answer = answerByMethod(facts, options)
    if (answer) return { ...answer, headers: [...answer.headers, ...corsHeaders] }

    const host = this.#host
    const requested = requestedId(facts, options)
    const channels = options.channels.map((name) => host.channelState(name))
    const needed = host.recall && neededFrom(host.epoch, host.head, channels, requested, options.from)
    const pending = needed !== undefined
    const start = pending
      ? ({ outcome: 'pending', cursor: host.head, since: [], gaps: [], settled: false } satisfies Start)
      : startOf(host.epoch, host.head, channels, requested, options.from, options.onGap)
    const instead = pending ? undefined : answerInstead(start, channels, options)
    if (instead) {
      for (const channel of channels) host.left(channel)
      return { ...instead, headers: [...instead.headers, ...corsHeaders] }
    }
    // Last, so that what opens no stream takes no token.
    const refusal = this.#host.admission.judge({ channels: options.channels, key, session: facts.session })
    if (refusal) {
      for (const channel of channels) host.left(channel)
      const form = refusalForm(facts, options.refusal)
      host.refused(refusal, form, key)
      const told = refused(refusal, form)
      return { ...told, headers: [...told.headers, ...corsHeaders] }
    }
    const variant = this.#variantFor(options.variant)
    const headers: HeaderList = [...STREAM_HEADERS, ['Sluice-Resume', start.outcome]]
    if (variant) headers.push(['Sluice-Variant', variant.name])
    headers.push(...corsHeaders, ...options.headers)
    const who = { requested, key, session: facts.session }
    return {
      headers,
      begin: (sink, encoding) => {
        const connection = this.#connection(sink, options, start, variant, who)
        if (pending) connection.hold(options.channels)
        else {
          channels.forEach((channel, index) => {
            connection.join(channel, start.since[index] ?? 0)
          })
        }
        const opened = {
          resumed: requested !== undefined,
          told: start.settled,
          encoding: encoding?.toLowerCase(),
        }
        host.connectionOpened(connection, start.gaps.length, opened)
        connection.begin(this.#openingBlock(start, channels, options.retry ?? host.settings.retry))
        // Last, so that what a listener sends comes after the opening block.
        host.announce(connection)
        if (needed !== undefined) void this.#find(connection, options, requested, needed)
        return connection
      },
    }
  }

  #connection(
    sink: Sink,
    options: CheckedConnectOptions,
    start: Start,
    variant: Variant | undefined,
    who: { requested: RequestedId; key: string | undefined; session: object | undefined },
  ): Connection {
    const host = this.#host
    const { maxAge, random } = host.settings
    this.#lastId += 1
    return new Connection(host, sink, new Cursor(start.cursor, options.filter, variant), {
      id: String(this.#lastId),
      lastEventId: readable(who.requested ?? null) ?? '',
      key: who.key,
      session: who.session,
      label: options.label,
      maxAge: maxAge * (0.8 + 0.2 * random()),
    })
  }

  /** Reads back from the bus what a connection starts with, and lets it go on from there. */
  async #find(
    connection: Connection,
    { from, onGap }: CheckedConnectOptions,
    requested: RequestedId,
    after: number,
  ): Promise<void> {
    const host = this.#host
    let channels: ChannelState[] = []
    // A channel that nobody reads may have been dropped meanwhile, and is read back once more then.
    let needed: number | undefined = after
    for (let passes = 0; needed !== undefined && passes < MOST_PASSES; passes += 1) {
      await host.recall?.(needed, firstOf(connection), connection.closed)
      if (!connection.isOpen) return
      // The application may have subscribed it to others meanwhile, or taken some away.
      channels = firstOf(connection).map((name) => host.channelState(name))
      needed = neededFrom(host.epoch, host.head, channels, requested, from)
    }
    const start = startOf(host.epoch, host.head, channels, requested, from, onGap)
    const later = [...(connection.wanted ?? [])]
    channels.forEach((channel, index) => {
      connection.join(channel, start.since[index] ?? 0)
    })
    for (const [name, since] of later) {
      if (since !== undefined) connection.join(host.channelState(name), since)
    }
    for (const _ of start.gaps) host.gapTold()
    const told = start.gaps.length > 0 || start.settled
    connection.proceed(start.cursor, told ? this.#openingBlock(start, channels, undefined) : undefined)
  }

  /**
   * The first bytes of a stream: browsers and proxies wait for some. A client that starts live learns its position
   * from them (a block with an id and no data fires nothing but moves the last event ID, HTML 9.2.6), so that it loses
   * nothing even if it reconnects before its first event.
   */
  #openingBlock(
    { settled, gaps }: Start,
    channels: readonly ChannelState[],
    retry: number | undefined,
  ): Uint8Array {
    const id = settled ? (newestOwnId(channels) ?? this.#host.position) : undefined
    const last = gaps.length - 1
    return concat([
      encodeText({ comment: '', id: gaps.length === 0 ? id : undefined, retry }),
      ...gaps.map((gap, index) => encodeGap(gap, index === last ? id : undefined)),
    ])
  }

  #corsHeaders(facts: RequestFacts, { cors }: CheckedConnectOptions): HeaderList {
    try {
      return cors?.answer(facts.origin) ?? []
    } catch (error) {
      this.#host.report(error, { during: 'cors' })
      return [['Vary', 'Origin']]
    }
  }

  /** What the client asked for is untrusted; the map holds only names of the application. */
  #variantFor(asked: unknown): Variant | undefined {
    if (asked === undefined) return undefined
    const { fallbackVariant } = this.#host.settings
    const variant = typeof asked === 'string' ? this.variants.get(asked) : undefined
    return variant ?? (fallbackVariant === undefined ? undefined : this.variants.get(fallbackVariant))
  }
}

/** The channels that a held connection was opened with and still wants. */
function firstOf(connection: Connection): string[] {
  const first: string[] = []
  for (const [name, since] of connection.wanted ?? []) if (since === undefined) first.push(name)
  return first
}

/**
 * The id of the newest event of these channels, if its publisher gave it: it says as much as the hub's own position, and
 * unlike that it may mean something to another process as well.
 */
function newestOwnId(channels: readonly ChannelState[]): string | undefined {
  let newest: ChannelState | undefined
  for (const channel of channels) if (channel.log.newest > (newest?.log.newest ?? 0)) newest = channel
  const frame = newest?.log.latest
  return frame?.ownId && frame.sequence === newest?.log.newest ? frame.event.id : undefined
}

/** The answer to a request for a stream that has nothing left to say, or must not start with a gap. */
function answerInstead(
  start: Start,
  channels: readonly ChannelState[],
  { onGap }: CheckedConnectOptions,
): Answer | undefined {
  if (start.gaps.length > 0) return onGap === 'refuse' ? refusedGap(start) : undefined
  const over = channels.every(
    ({ endedAt }, index) => endedAt > 0 && Math.max(start.cursor, start.since[index] ?? 0) >= endedAt,
  )
  return over && channels.length > 0 ? NOTHING_LEFT : undefined
}

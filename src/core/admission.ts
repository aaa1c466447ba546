// Who is let in. It decides and counts; how a refusal is worded for HTTP is the opening's business.

import type { ChannelState } from './channel.ts'
import type { Clock } from './clock.ts'
import type { Limits } from './limits.ts'
import { Overload } from './overload.ts'
import { TokenBucket } from './token-bucket.ts'

/** Why a request was refused. */
export const REFUSALS = Object.freeze({
  connections: 'The hub has as many connections as limits.connections allows.',
  key: 'The client has as many connections as limits.connectionsPerKey allows.',
  session: 'The HTTP/2 session has as many streams as limits.connectionsPerSession allows.',
  channel: 'A channel has as many readers as limits.connectionsPerChannel allows.',
  channels: 'The request asks for more channels than limits.channelsPerConnection allows.',
  rate: 'Connections arrive faster than limits.accepts allows.',
  overload: 'The event-loop delay stays above limits.loopDelay.',
  closing: 'The hub is closing.',
  starting: 'The bus has not been reached yet.',
})

export type RefusalReason = keyof typeof REFUSALS

export interface Refusal {
  readonly reason: RefusalReason
  /** Milliseconds after which the client may come back. */
  readonly after: number
}

export interface AdmissionHost {
  readonly clock: Clock
  readonly live: { readonly size: number }
  /** Over how many milliseconds clients are asked to come back, while the hub closes. */
  readonly reconnectOver: number | undefined
  /** Whether the hub knows where it stands. */
  readonly started: boolean
  findChannel(name: string): ChannelState | undefined
  overloaded(overloaded: boolean): void
}

/** What is asked for. */
export interface Applicant {
  readonly channels: readonly string[]
  /** What it is counted by; `undefined` when nothing is known of it, which is then not limited. */
  readonly key: string | undefined
  /** The HTTP/2 session that carries it, if one does. */
  readonly session: object | undefined
}

const LEAST_WAIT = 1_000

export class Admission {
  readonly #host: AdmissionHost
  readonly #limits: Limits
  readonly #random: () => number
  readonly #overload: Overload
  readonly #bucket: TokenBucket | undefined
  /** Open connections by key and by session; only where these are limited, and only those that have any. */
  readonly #counts = new Map<string | object, number>()
  readonly #refused: Record<RefusalReason, number>

  constructor(host: AdmissionHost, limits: Limits, random: () => number) {
    this.#host = host
    this.#limits = limits
    this.#random = random
    const { accepts, loopDelay } = limits
    this.#bucket = accepts && new TokenBucket(accepts.perSecond, accepts.burst, host.clock.now())
    this.#overload = new Overload(
      host.clock,
      loopDelay,
      () => host.live.size > 0,
      (overloaded) => host.overloaded(overloaded),
    )
    this.#refused = Object.fromEntries(Object.keys(REFUSALS).map((reason) => [reason, 0])) as Record<
      RefusalReason,
      number
    > // the keys of the table, by its type
  }

  /** How many were refused, by reason. */
  get refused(): Record<RefusalReason, number> {
    return { ...this.#refused }
  }

  get overloaded(): boolean {
    return this.#overload.overloaded
  }

  /** Lets in (`undefined`) or refuses. Who is let in must open in the same turn, so that the counts hold. */
  judge(applicant: Applicant): Refusal | undefined {
    if (this.#host.reconnectOver === undefined) this.#overload.start()
    const reason = this.#reason(applicant)
    const wait = reason === undefined ? (this.#bucket?.take(this.#host.clock.now()) ?? 0) : 0
    if (reason === undefined && wait === 0) return undefined
    const refusal = reason ?? 'rate'
    this.#refused[refusal] += 1
    const over = this.#host.reconnectOver
    // Spread, for they would come back together as they came.
    const after =
      over === undefined
        ? Math.max(LEAST_WAIT, wait) + this.#random() * this.#limits.reconnectOver
        : this.#random() * over
    return { reason: refusal, after: Math.round(after) }
  }

  opened(applicant: Pick<Applicant, 'key' | 'session'>): void {
    for (const one of this.#counted(applicant)) this.#counts.set(one, (this.#counts.get(one) ?? 0) + 1)
  }

  closed(applicant: Pick<Applicant, 'key' | 'session'>): void {
    for (const one of this.#counted(applicant)) {
      const left = (this.#counts.get(one) ?? 0) - 1
      if (left > 0) this.#counts.set(one, left)
      else this.#counts.delete(one)
    }
  }

  #counted({ key, session }: Pick<Applicant, 'key' | 'session'>): (string | object)[] {
    const { connectionsPerKey, connectionsPerSession } = this.#limits
    const counted: (string | object)[] = []
    if (key !== undefined && connectionsPerKey < Infinity) counted.push(key)
    if (session !== undefined && connectionsPerSession < Infinity) counted.push(session)
    return counted
  }

  stop(): void {
    this.#overload.stop()
  }

  #reason({ channels, key, session }: Applicant): RefusalReason | undefined {
    const host = this.#host
    const limits = this.#limits
    if (host.reconnectOver !== undefined) return 'closing'
    if (!host.started) return 'starting'
    if (channels.length > limits.channelsPerConnection) return 'channels'
    if (host.live.size >= limits.connections) return 'connections'
    const count = (one: string | object | undefined): number =>
      one === undefined ? 0 : (this.#counts.get(one) ?? 0)
    if (count(key) >= limits.connectionsPerKey) return 'key'
    if (count(session) >= limits.connectionsPerSession) return 'session'
    const full = (name: string): boolean =>
      (host.findChannel(name)?.readers.size ?? 0) >= limits.connectionsPerChannel
    if (limits.connectionsPerChannel < Infinity && channels.some(full)) return 'channel'
    return this.#overload.overloaded ? 'overload' : undefined
  }
}

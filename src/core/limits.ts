// What a hub takes on: how many connections, and how fast. Checked once, when the hub is made.

import { checkInteger, checkMilliseconds, checkOptions, checkWait } from './check.ts'
import { SluiceError, shown } from './errors.ts'

/** Option `limits` of `createHub`. What is left out is not limited, unless a default is named. */
export interface LimitOptions {
  /** Connections of the hub. */
  connections?: number
  /**
   * Connections of one key: the client's address (of IPv6 the first 64 bits), or what `connect` is given as `key`. Behind
   * a proxy every client has the proxy's address: give a `key`. `X-Forwarded-For` is never read, for anybody can send it.
   */
  connectionsPerKey?: number
  /** Connections of one HTTP/2 session: the streams that one client's TCP connection carries. */
  connectionsPerSession?: number
  /** Readers of one channel. */
  connectionsPerChannel?: number
  /** Channels of one connection. Default 1_000. */
  channelsPerConnection?: number
  /** A token bucket on new connections: so many a second, and at once after a quiet time as many as `burst` (default: one second's). */
  accepts?: { perSecond: number; burst?: number }
  /**
   * Milliseconds of event-loop delay. When it stays above this for a second, new connections are refused, before the
   * existing ones suffer, until it has stayed below for a second. 200 is a good start.
   */
  loopDelay?: number
  /** Milliseconds over which refused clients are asked to spread their return. Default 10_000. */
  reconnectOver?: number
}

/** The limits with every default in place. */
export interface Limits {
  readonly connections: number
  readonly connectionsPerKey: number
  readonly connectionsPerSession: number
  readonly connectionsPerChannel: number
  readonly channelsPerConnection: number
  readonly accepts: { readonly perSecond: number; readonly burst: number } | undefined
  readonly loopDelay: number
  readonly reconnectOver: number
}

const KNOWN: readonly (keyof LimitOptions)[] = [
  'connections',
  'connectionsPerKey',
  'connectionsPerSession',
  'connectionsPerChannel',
  'channelsPerConnection',
  'accepts',
  'loopDelay',
  'reconnectOver',
]

/** @throws {SluiceError} SLUICE_BAD_OPTION naming the option, the value and the rule. */
export function checkLimits(options: LimitOptions): Limits {
  const given = checkOptions('limits', options, KNOWN)
  return Object.freeze({
    connections: count('connections', given.connections),
    connectionsPerKey: count('connectionsPerKey', given.connectionsPerKey),
    connectionsPerSession: count('connectionsPerSession', given.connectionsPerSession),
    connectionsPerChannel: count('connectionsPerChannel', given.connectionsPerChannel),
    channelsPerConnection: count('channelsPerConnection', given.channelsPerConnection ?? 1_000),
    accepts: given.accepts === undefined ? undefined : checkAccepts(given.accepts),
    loopDelay: checkMilliseconds('limits.loopDelay', given.loopDelay ?? Infinity, 1, true),
    reconnectOver: checkWait('limits.reconnectOver', given.reconnectOver ?? 10_000),
  })
}

function count(name: keyof LimitOptions, value: number | undefined): number {
  return value === undefined || value === Infinity ? Infinity : checkInteger(`limits.${name}`, value, 1)
}

function checkAccepts(accepts: { perSecond: number; burst?: number }) {
  const { perSecond, burst } = checkOptions('limits.accepts', accepts, ['perSecond', 'burst'])
  if (typeof perSecond !== 'number' || !(perSecond > 0) || perSecond === Infinity) {
    throw new SluiceError(
      'SLUICE_BAD_OPTION',
      `limits.accepts.perSecond is ${shown(perSecond)}; it must be a number of connections above 0.`,
    )
  }
  const least = burst ?? Math.max(1, Math.ceil(perSecond))
  return Object.freeze({ perSecond, burst: checkInteger('limits.accepts.burst', least, 1) })
}

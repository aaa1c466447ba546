// What a hub can be told, with the reason for each default. Validated once, when the hub is made.

import type { Bus } from './bus.ts'
import { CHANNEL_DEFAULTS, type ChannelOptions, channelOptions } from './channel.ts'
import {
  checkFunction,
  checkInteger,
  checkMilliseconds,
  checkOneOf,
  checkOptions,
  checkWait,
} from './check.ts'
import { type Clock, systemClock } from './clock.ts'
import { SluiceError, shown } from './errors.ts'
import { checkLimits, type LimitOptions, type Limits } from './limits.ts'
import type { AnyChannels } from './typed.ts'
import type { VariantTransform } from './variants.ts'

/** Options of `createHub`. Durations are milliseconds, sizes are bytes. */
export interface HubOptions<Channels extends object = AnyChannels> {
  /**
   * Silence after which a connection gets a comment, so that nothing in between takes it for idle. Default 20_000;
   * `Infinity` for never. Keep it below the shortest idle timeout on the way, or give that as `proxyIdleTimeout`.
   */
  heartbeat?: number
  /**
   * The idle timeouts of the proxies in front, one or several: half of the shortest becomes `heartbeat`. With a
   * `heartbeat` of your own it is checked: that must be shorter than all of them.
   */
  proxyIdleTimeout?: number | readonly number[]
  /** How long a write may wait for the client to read before the connection closes with reason `stalled`. Default 30_000; `Infinity` for ever. */
  stallTimeout?: number
  /**
   * The longest life of a connection; each draws 80–100 % of it and then closes with reason `rotated`, to come back
   * and resume, so that load balancers can spread the clients anew. Default `Infinity`.
   */
  maxAge?: number
  /** What one write gathers at the most, unless a single event is larger. Default 65_536. */
  maxWriteBytes?: number
  /** What is held for one connection in user space at the most, plus one event. Default 262_144; at least `maxWriteBytes`. */
  maxBufferedBytes?: number
  /** The largest encoded event. Default 1_048_576. */
  maxEventBytes?: number
  /** Turns data that is not a string into one. Default `JSON.stringify`. */
  serialize?: (data: unknown) => string
  /** Other shapes of the events, by name: see `VariantTransform`. Connections ask for one with `variant`. */
  variants?: Readonly<Record<string, VariantTransform<Channels>>>
  /**
   * The variant served to a connection that asks for one that does not exist. Default: none, which is the shape as
   * published. The response says which it was: `Sluice-Variant`.
   */
  fallbackVariant?: string
  /** Bounds and overflow of channels that set none of their own. */
  channelDefaults?: ChannelOptions
  /** The reconnection time told to every client when it connects. Default: none, which leaves it to the client. */
  retry?: number
  /** How many connections are let in, and how fast. Default: all. Who is refused is asked to come back later. */
  limits?: LimitOptions
  /**
   * The log that this hub shares with other processes: see docs/scaling.md. Default: none, a hub of one process. The hub closes
   * its feed, never the bus, which is the application's.
   */
  bus?: Bus
  /** How long one call to the bus may take before it counts as failed. Default 5_000. */
  busTimeout?: number
  /**
   * What becomes of a publish that the bus does not take. Default `'reject'`: the promise rejects with SLUICE_BUS_UNAVAILABLE.
   * `'local'`: the event goes to this process's readers alone, without an id, so that nobody can resume from it; `stats().bus.local` counts.
   * It may come from the bus as well, when only the answer was lost, and readers that hold `maxBufferedBytes` get none of it.
   */
  busFallback?: 'reject' | 'local'
  /** Turns the text of data that was serialised back, for filters and variants behind a bus. Default `JSON.parse`. */
  deserialize?: (text: string) => unknown
  /** Where time comes from. Default: the platform's monotonic clock. For tests. */
  clock?: Clock
  /** Random numbers in [0, 1) for jitter. Default `Math.random`. For tests. */
  random?: () => number
}

/** The options with every default in place. */
export interface HubSettings {
  readonly heartbeat: number
  readonly stallTimeout: number
  readonly maxAge: number
  readonly maxWriteBytes: number
  readonly maxBufferedBytes: number
  readonly maxEventBytes: number
  readonly serialize: (data: unknown) => string
  readonly variants: Readonly<Record<string, VariantTransform>>
  readonly fallbackVariant: string | undefined
  readonly channelDefaults: Readonly<Required<ChannelOptions>>
  readonly retry: number | undefined
  readonly limits: Limits
  readonly bus: Bus | undefined
  readonly busTimeout: number
  readonly busFallback: 'reject' | 'local'
  readonly deserialize: (text: string) => unknown
  readonly clock: Clock
  readonly random: () => number
}

export const HUB_DEFAULTS = Object.freeze({
  /** A third of the 60 s that nginx and most load balancers allow, so that one lost second does not matter. */
  heartbeat: 20_000,
  /** Long enough for a phone in a tunnel, short enough that the dead do not gather. */
  stallTimeout: 30_000,
  maxAge: Infinity,
  /** Some four hundred events of 150 bytes; larger writes gain nothing measurable and hold memory for the slow. */
  maxWriteBytes: 65_536,
  maxBufferedBytes: 262_144,
  maxEventBytes: 1_048_576,
  /** Longer than a failover of most engines' clients, shorter than a request's patience. */
  busTimeout: 5_000,
})

const KNOWN: readonly (keyof HubOptions)[] = [
  'heartbeat',
  'proxyIdleTimeout',
  'stallTimeout',
  'maxAge',
  'maxWriteBytes',
  'maxBufferedBytes',
  'maxEventBytes',
  'serialize',
  'variants',
  'fallbackVariant',
  'channelDefaults',
  'retry',
  'limits',
  'bus',
  'busTimeout',
  'busFallback',
  'deserialize',
  'clock',
  'random',
]

/** @throws {SluiceError} SLUICE_BAD_OPTION naming the option, the value and the rule. */
export function hubSettings(options: HubOptions): HubSettings {
  checkOptions('createHub', options, KNOWN)
  const given = { ...HUB_DEFAULTS, ...defined(options) }
  const maxWriteBytes = checkInteger('maxWriteBytes', given.maxWriteBytes, 1)
  const variants = checkVariants(options.variants ?? {})
  const { fallbackVariant } = options
  if (fallbackVariant !== undefined && !Object.hasOwn(variants, fallbackVariant)) {
    throw new SluiceError(
      'SLUICE_BAD_OPTION',
      `fallbackVariant is ${shown(fallbackVariant)}; it must be one of the names in variants.`,
    )
  }
  return Object.freeze({
    heartbeat: heartbeatOf(options),
    stallTimeout: checkMilliseconds('stallTimeout', given.stallTimeout, 1, true),
    maxAge: checkMilliseconds('maxAge', given.maxAge, 1, true),
    maxWriteBytes,
    maxBufferedBytes: checkInteger('maxBufferedBytes', given.maxBufferedBytes, maxWriteBytes),
    maxEventBytes: checkInteger('maxEventBytes', given.maxEventBytes, 1),
    serialize: checkFunction('serialize', options.serialize ?? JSON.stringify),
    variants,
    fallbackVariant,
    channelDefaults: channelOptions(options.channelDefaults ?? {}, CHANNEL_DEFAULTS),
    retry: options.retry === undefined ? undefined : checkInteger('retry', options.retry, 0),
    limits: checkLimits(options.limits ?? {}),
    bus: options.bus === undefined ? undefined : checkBus(options.bus),
    busTimeout: checkWait('busTimeout', given.busTimeout),
    busFallback: checkOneOf('busFallback', options.busFallback ?? 'reject', ['reject', 'local']),
    deserialize: checkFunction('deserialize', options.deserialize ?? JSON.parse),
    clock: options.clock ?? systemClock,
    random: checkFunction('random', options.random ?? Math.random),
  })
}

function checkBus(bus: Bus): Bus {
  if (
    typeof bus === 'object' &&
    bus !== null &&
    typeof bus.append === 'function' &&
    typeof bus.tail === 'function'
  ) {
    return bus
  }
  throw new SluiceError(
    'SLUICE_BAD_OPTION',
    `bus is ${shown(bus)}; it must be a bus, as the adapters of sluice/bus/* make one of your client.`,
  )
}

/** An option given as `undefined` is one not given. */
function defined<T extends object>(options: T): Partial<T> {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as Partial<T> // the same keys and values, fewer of them
}

/**
 * Half of the shortest idle timeout in front: a heartbeat may be late by a busy event loop and a lost packet's
 * retransmission, and must still come in time.
 */
function heartbeatOf({ heartbeat, proxyIdleTimeout }: HubOptions): number {
  if (proxyIdleTimeout === undefined) {
    return checkMilliseconds('heartbeat', heartbeat ?? HUB_DEFAULTS.heartbeat, 10, true)
  }
  const timeouts = typeof proxyIdleTimeout === 'number' ? [proxyIdleTimeout] : [...proxyIdleTimeout]
  if (timeouts.length === 0) {
    throw new SluiceError(
      'SLUICE_BAD_OPTION',
      'proxyIdleTimeout is an empty list; give at least one timeout.',
    )
  }
  const shortest = Math.min(...timeouts.map((one) => checkMilliseconds('proxyIdleTimeout', one, 20, false)))
  if (heartbeat === undefined) return shortest / 2
  const beat = checkMilliseconds('heartbeat', heartbeat, 10, true)
  if (beat >= shortest) {
    throw new SluiceError(
      'SLUICE_BAD_OPTION',
      `heartbeat is ${shown(heartbeat)}, and proxyIdleTimeout ${shown(shortest)}: the proxy would cut every silent stream before its heartbeat; give at most half of that, or leave heartbeat out and it follows.`,
    )
  }
  return beat
}

function checkVariants(variants: Readonly<Record<string, VariantTransform>>) {
  for (const [name, transform] of Object.entries(variants)) {
    // The name travels in a response header.
    if (!/^[\w.-]{1,64}$/.test(name)) {
      throw new SluiceError(
        'SLUICE_BAD_OPTION',
        `variants has a name ${shown(name)}; use 1 to 64 letters, digits, '.', '_' or '-'.`,
      )
    }
    checkFunction(`variants.${name}`, transform)
  }
  return variants
}

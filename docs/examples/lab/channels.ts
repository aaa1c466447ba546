// The channels of the lab: what each carries, how much of it is kept, and who may read it.

import type { Channel, ChannelOptions, Hub } from '../../../src/index.ts'

/** State, not history: only the newest counts, and a reader that was away has lost nothing by getting just that. */
const STATE: ChannelOptions = { maxEvents: 10, maxAge: Number.POSITIVE_INFINITY, overflow: 'latest' }
const AN_HOUR = 3_600_000

const OPTIONS = {
  /** The figures of machine, process and hub, once a second: two minutes, which is what the charts show. */
  figures: { maxEvents: 120 },
  /** What visitors publish. */
  events: { maxEvents: 200, maxAge: AN_HOUR },
  /** The lines appended to the followed file. */
  lines: { maxEvents: 500, maxAge: AN_HOUR },
  /** What happened here, in words: the marks in the charts. */
  notes: { maxEvents: 50 },
  /** The names of the events in `events`, see names.ts. */
  names: { maxEvents: 300, maxAge: Number.POSITIVE_INFINITY },
  /** Close reasons and their counts. */
  closes: STATE,
  /** How the crowd is doing. */
  crowd: STATE,
  /** The hub's counters and its diagnosis. */
  health: STATE,
  /** The trial behind a misconfigured proxy. */
  trial: STATE,
  /** Something for the crowd to read, while there is one. */
  ticks: { maxEvents: 100, maxAge: 10_000 },
  /** The firehose. Little is kept: who cannot follow is meant to fall behind, and costs nothing meanwhile. */
  load: { maxEvents: 10, maxAge: 5_000 },
} satisfies Record<string, ChannelOptions>

export type ChannelName = keyof typeof OPTIONS
export type Channels = Readonly<Record<ChannelName, Channel>>

export function openChannels(hub: Hub): Channels {
  const handles = Object.entries(OPTIONS).map(([name, options]) => [name, hub.channel(name, options)])
  return Object.fromEntries(handles) as Channels // one for each name
}

/** What a request may ask for. `load` is missing: the server gives it to those who stall. */
const READABLE: ReadonlySet<string> = new Set(Object.keys(OPTIONS).filter((name) => name !== 'load'))
const BY_DEFAULT = ['figures', 'events', 'lines']

/** The channels that a request's `channels=a,b` asks for and may have; unknown ones are dropped. */
export function readableChannels(asked: string | null): string[] {
  if (asked === null) return BY_DEFAULT
  return [...new Set(asked.split(',').map((name) => name.trim()))].filter((name) => READABLE.has(name))
}

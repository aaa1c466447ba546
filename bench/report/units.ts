// Metrics and parameters in words and units. A metric that is not known here is shown under its own name.

import type { Params } from './result.ts'

interface Metric {
  label: string
  format: (value: number) => string
}

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })
const figures = new Intl.NumberFormat('en-US', { minimumSignificantDigits: 3, maximumSignificantDigits: 3 })
const short = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 3 })

const METRICS: Record<string, Metric> = {
  deliveriesPerSecond: { label: 'deliveries/s', format: whole },
  cpuMicrosPerDelivery: { label: 'CPU per delivery, µs', format: brief },
  bytesPerConnection: { label: 'memory per connection, bytes', format: whole },
  latencyP50Ms: { label: 'latency p50, ms', format: brief },
  latencyP99Ms: { label: 'p99, ms', format: brief },
  latencyP999Ms: { label: 'p99.9, ms', format: brief },
  loopDelayP99Ms: { label: 'loop delay p99, ms', format: brief },
  cpuShare: { label: 'CPU, % of a core', format: (value) => brief(value * 100) },
  stalledLatencyP99Ms: { label: 'p99 with stalled, ms', format: brief },
  extraBytes: { label: 'extra memory, bytes', format: whole },
  connectsPerSecond: { label: 'connects/s', format: whole },
  firstByteP99Ms: { label: 'first byte p99, ms', format: brief },
  resumesPerSecond: { label: 'resumes/s', format: whole },
  cpuMicrosPerConnect: { label: 'CPU per connect, µs', format: brief },
  cpuMicrosPerResume: { label: 'CPU per resume, µs', format: brief },
  eventsPerSecond: { label: 'events/s', format: whole },
  heapBytes: { label: 'heap, MB', format: (value) => brief(value / 1e6) },
}

export const METRIC_NAMES: readonly string[] = Object.keys(METRICS)

export function metricLabel(name: string): string {
  return METRICS[name]?.label ?? name
}

export function metricValue(name: string, value: number): string {
  return (METRICS[name]?.format ?? brief)(value)
}

export function whole(value: number): string {
  return grouped.format(value)
}

/** Three significant digits. */
export function brief(value: number): string {
  return Math.abs(value) >= 1_000 ? whole(value) : short.format(value)
}

/** The same with its zeros, for figures that stand below each other. */
export function precise(value: number): string {
  return Math.abs(value) >= 1_000 ? whole(value) : figures.format(value)
}

/** 412,300 as "412k". */
export function compact(value: number, say = precise): string {
  if (Math.abs(value) >= 1e6) return `${say(value / 1e6)}M`
  if (Math.abs(value) >= 1e4) return `${say(value / 1e3)}k`
  return brief(value)
}

/** The same at the ticks of an axis. */
export function compactTick(value: number): string {
  return compact(value, brief)
}

export function bytes(value: number): string {
  if (value >= 1024 ** 3) return `${short.format(value / 1024 ** 3)} GB`
  if (value >= 1024 ** 2) return `${short.format(value / 1024 ** 2)} MB`
  if (value >= 1024) return `${short.format(value / 1024)} KB`
  return `${whole(value)} B`
}

const PARAMS: Record<string, (value: number) => string> = {
  connections: (value) => `${whole(value)} connections`,
  eventsPerTurn: (value) => (value === 1 ? 'one event at a time' : `${whole(value)} events at a time`),
  bytes: (value) => `${bytes(value)} events`,
  stalled: (value) => (value === 0 ? 'none stalled' : `${whole(value)} stalled`),
  eventsPerSecond: (value) => `${whole(value)} events/s`,
  processes: (value) => (value === 1 ? 'one process' : `${whole(value)} processes`),
}

const PACES: Record<string, string> = {
  turn: 'every loop turn',
  written: 'when the last is written',
}

/** Parameters as a phrase: "1,000 connections, one event at a time, 150 B events, every loop turn". */
export function describe(params: Params, without: readonly string[] = []): string {
  const known = Object.keys(PARAMS)
  return Object.entries(params)
    .filter(([name]) => !without.includes(name))
    .sort(([a], [b]) => placeOf(known, a) - placeOf(known, b) || (a < b ? -1 : 1))
    .map(([name, value]) => {
      if (name === 'pace' && typeof value === 'string' && value in PACES) return PACES[value]
      const say = PARAMS[name]
      return say && typeof value === 'number' ? say(value) : `${name} ${value}`
    })
    .join(', ')
}

function placeOf(list: readonly string[], name: string): number {
  const place = list.indexOf(name)
  return place === -1 ? list.length : place
}

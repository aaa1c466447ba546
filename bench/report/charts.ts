// Which rows go into which chart. A chart whose figures are missing is not drawn.

import { type BarPanel, barChart } from './bars.ts'
import type { Body } from './collect.ts'
import { type LinePanel, lineChart, type Series } from './lines.ts'
import { comparePeers } from './peers.ts'
import { type RangePanel, rangeChart } from './ranges.ts'
import { keyOf, type Params, type Row } from './result.ts'
import { brief, compact, compactTick, describe, precise, whole } from './units.ts'

export interface Chart {
  file: string
  /** Its heading in the report. */
  title: string
  /** What it shows, for those who do not see it. */
  alt: string
  /** How to read it. */
  note: string
  svg: string
}

/** What the floors of DESIGN section 9 are about. */
const CONNECTIONS = 1_000
const BYTES = 150
const MAX_PANELS = 4

export function charts({ rows }: Body): Chart[] {
  const fanout = rows.get('fanout') ?? []
  return [
    ...deliveries(fanout),
    ...cpu(fanout),
    ...latency([...(rows.get('paced') ?? []), ...(rows.get('slow') ?? [])]),
    ...memory(rows.get('idle') ?? []),
  ]
}

function deliveries(rows: Row[]): Chart[] {
  const panels: BarPanel[] = []
  for (const group of byPublishing(having(rows, 'deliveriesPerSecond'))) {
    const best = nearest(group)
    const title = describe(best[0]?.params ?? {})
    panels.push({
      title,
      bars: best.map((row) => ({ peer: row.peer, stat: stat(row, 'deliveriesPerSecond') })),
    })
  }
  if (panels.length === 0) return []
  const title = 'Deliveries per second'
  const alt =
    'Bars: deliveries per second by peer, for each number of events per loop turn. The table below has the figures.'
  const axis = 'deliveries per second: median, and from the least to the most of the runs'
  return [
    {
      file: 'deliveries.svg',
      title,
      alt,
      note: 'A delivery is one event written to one connection, whole. Published every loop turn, events gather while sockets are served, and a server that can leave them together in one write; when each waits for the last to be written, every delivery is a system call of its own, and nobody can win more than the kernel leaves. More is better; each panel has its own scale.',
      svg: barChart({
        title,
        summary: alt,
        axis,
        panels: panels.slice(0, MAX_PANELS),
        format: compact,
        formatTick: compactTick,
      }),
    },
  ]
}

function cpu(rows: Row[]): Chart[] {
  const panels: LinePanel[] = []
  // A logarithmic axis has no place for zero.
  const measured = rows.filter(({ metrics }) => (metrics.cpuMicrosPerDelivery?.min ?? 0) > 0)
  for (const group of byPublishing(measured)) {
    const sizes = byParam(group, 'bytes').sort(
      (a, b) => distance(a[0]?.params.bytes, BYTES) - distance(b[0]?.params.bytes, BYTES),
    )
    // The size nearest to what the floors are about, if it was measured at more than one number of connections.
    const chosen = sizes.find((size) => new Set(size.map((row) => row.params.connections)).size > 1)
    if (!chosen) continue
    const title = describe(chosen[0]?.params ?? {}, ['connections'])
    panels.push({ title, series: seriesOf(chosen) })
  }
  if (panels.length === 0) return []
  const title = 'CPU per delivery, as connections grow'
  const alt =
    'Lines: the server’s CPU time per delivery against the number of connections, by peer. The table below has the figures.'
  return [
    {
      file: 'cpu.svg',
      title,
      alt,
      note: 'CPU time of the server process, user and system, over the deliveries made. Less is better, and flat is better still: the floor is growth within 1.2 times.',
      svg: lineChart({
        title,
        summary: alt,
        xAxis: 'connections (logarithmic)',
        yAxis: 'µs of CPU per delivery (logarithmic): median, and from the least to the most of the runs',
        panels: panels.slice(0, MAX_PANELS),
        formatX: whole,
        formatY: brief,
      }),
    },
  ]
}

function seriesOf(rows: Row[]): Series[] {
  const series = new Map<string, Series>()
  for (const row of rows) {
    const { connections } = row.params
    if (typeof connections !== 'number' || connections <= 0) continue
    const one = series.get(row.peer) ?? { peer: row.peer, points: [] }
    series.set(row.peer, one)
    one.points.push({ x: connections, stat: stat(row, 'cpuMicrosPerDelivery') })
  }
  for (const { points } of series.values()) points.sort((a, b) => a.x - b.x)
  return [...series.values()].sort((a, b) => comparePeers(a.peer, b.peer))
}

const PERCENTILES = ['latencyP50Ms', 'latencyP99Ms', 'latencyP999Ms']

function latency(rows: Row[]): Chart[] {
  const measured = rows.filter(({ metrics }) => PERCENTILES.some((name) => (metrics[name]?.median ?? 0) > 0))
  const panels: RangePanel[] = byWork(measured).map((group) => ({
    title: describe(group[0]?.params ?? {}),
    rows: group
      .toSorted((a, b) => comparePeers(a.peer, b.peer))
      .map(({ peer, metrics }) => ({ peer, values: PERCENTILES.map((name) => metrics[name]?.median) })),
  }))
  if (panels.length === 0) return []
  const title = 'Latency of events'
  const alt =
    'Marks: the 50th, 99th and 99.9th percentile of the latency from publication to arrival, by peer, for each kind of work.'
  return [
    {
      file: 'latency.svg',
      title,
      alt,
      note: 'From just before publication to the arrival at the client, by a monotonic clock that both share; events are published by a schedule that does not wait (open loop). Less is better, and so is less between the marks.',
      svg: rangeChart({
        title,
        summary: alt,
        axis: 'milliseconds (logarithmic), medians of the runs',
        marks: ['p50', 'p99', 'p99.9'],
        // The work with the most connections is told last, and says the most.
        panels: panels.slice(-MAX_PANELS),
        format: precise,
        formatTick: brief,
      }),
    },
  ]
}

function memory(rows: Row[]): Chart[] {
  const panels: BarPanel[] = byWork(having(rows, 'bytesPerConnection')).map((group) => ({
    title: describe(group[0]?.params ?? {}) || 'idle connections',
    bars: group.map((row) => ({ peer: row.peer, stat: inKilobytes(row) })),
  }))
  if (panels.length === 0) return []
  const title = 'Memory per idle connection'
  const alt =
    'Bars: memory of the server process per idle connection, by peer. The table below has the figures.'
  const axis = 'KB (1,024 bytes) per connection: median, and from the least to the most of the runs'
  return [
    {
      file: 'memory.svg',
      title,
      alt,
      note: 'What the server process grew by, over the number of connections opened. Less is better.',
      svg: barChart({
        title,
        summary: alt,
        axis,
        panels: panels.slice(-MAX_PANELS),
        format: precise,
        formatTick: brief,
        least: true,
      }),
    },
  ]
}

function inKilobytes(row: Row) {
  const { median, min, max, n } = stat(row, 'bytesPerConnection')
  return { median: median / 1024, min: min / 1024, max: max / 1024, n }
}

function having(rows: Row[], metric: string): Row[] {
  return rows.filter(({ metrics }) => metrics[metric] !== undefined)
}

function stat(row: Row, metric: string) {
  return row.metrics[metric] as Row['metrics'][string] // rows were chosen for having it
}

/** Rows apart by the value of one parameter, ascending; those without it are a group of their own. */
function byParam(rows: Row[], name: string): Row[][] {
  const groups = new Map<Params[string] | undefined, Row[]>()
  for (const row of rows) groups.set(row.params[name], [...(groups.get(row.params[name]) ?? []), row])
  return [...groups].sort(([a], [b]) => Number(a ?? 0) - Number(b ?? 0)).map(([, group]) => group)
}

/** Rows apart by how much is published at a time, and when. */
function byPublishing(rows: Row[]): Row[][] {
  return byParam(rows, 'pace').flatMap((group) => byParam(group, 'eventsPerTurn'))
}

/** Rows apart by all their parameters, in the order of their connections. */
function byWork(rows: Row[]): Row[][] {
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const key = keyOf('', row.params)
    groups.set(key, [...(groups.get(key) ?? []), row])
  }
  return [...groups.values()].sort(
    (a, b) => Number(a[0]?.params.connections ?? 0) - Number(b[0]?.params.connections ?? 0),
  )
}

/** Of the same kind of work, the one with most peers; among those the one nearest to what the floors are about. */
function nearest(rows: Row[]): Row[] {
  const far = ([row]: Row[]): number =>
    distance(row?.params.connections, CONNECTIONS) + distance(row?.params.bytes, BYTES)
  const [best = []] = byWork(rows).sort((a, b) => b.length - a.length || far(a) - far(b))
  return best
}

/** In factors: 500 is as far from 1,000 as 2,000 is. */
function distance(value: Params[string] | undefined, wanted: number): number {
  return typeof value === 'number' && value > 0 ? Math.abs(Math.log(value / wanted)) : Number.MAX_SAFE_INTEGER
}

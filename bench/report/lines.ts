// Lines between logarithmic axes, each named at its end; the spread of the runs as a stroke through each point. The same
// slope is the same growth by a factor, wherever it stands.

import { isLimit, peerColour, peerName } from './peers.ts'
import type { Stat } from './result.ts'
import { logarithmic } from './scale.ts'
import { type Child, document, el, line, round, text, WIDTH } from './svg.ts'

export interface Series {
  peer: string
  /** By `x`, ascending. */
  points: { x: number; stat: Stat }[]
}

export interface LinePanel {
  title: string
  series: Series[]
}

export interface LineChart {
  title: string
  summary: string
  xAxis: string
  yAxis: string
  panels: LinePanel[]
  formatX: (value: number) => string
  formatY: (value: number) => string
}

const LEFT = 66
const RIGHT = WIDTH - 178
const TOP = 56
const HEIGHT = 250
const HEAD = 54
const FOOT = 66
/** Between two names at the ends of lines. */
const NAME = 17
/** Between two names of values. */
const LABEL = 56
/** Room left of the first and right of the last point. */
const INSET = 24

export function lineChart(chart: LineChart): string {
  const children: Child[] = []
  let top = TOP
  for (const panel of chart.panels) {
    children.push(...drawPanel(chart, panel, top))
    top += HEAD + HEIGHT + FOOT
  }
  return document(top, chart.title, chart.summary, children)
}

function drawPanel(chart: LineChart, { title, series }: LinePanel, top: number): Child[] {
  const first = top + HEAD
  const bottom = first + HEIGHT
  const points = series.flatMap((one) => one.points)
  const least = Math.min(...points.map(({ stat }) => stat.min))
  const most = Math.max(...points.map(({ stat }) => stat.max))
  const y = logarithmic(least, most, bottom, first)
  const xs = [...new Set(points.map((point) => point.x))].sort((a, b) => a - b)
  const x = placesOf(xs)
  const children: Child[] = [text(24, top + 14, 'panel', title), text(24, first - 16, 'muted', chart.yAxis)]
  for (const tick of y.ticks) {
    children.push(line(LEFT, y.at(tick), RIGHT, y.at(tick), 'grid'))
    children.push(text(LEFT - 10, y.at(tick) + 4, 'tick', chart.formatY(tick), 'end'))
  }
  children.push(line(LEFT, bottom, RIGHT, bottom, 'axis'))
  let next = Number.POSITIVE_INFINITY
  for (const value of xs.toReversed()) {
    children.push(line(x(value), bottom, x(value), bottom + 5, 'axis'))
    // Of values that stand close together the last is named.
    if (next - x(value) < LABEL) continue
    children.push(text(x(value), bottom + 20, 'tick', chart.formatX(value), 'middle'))
    next = x(value)
  }
  children.push(text((LEFT + RIGHT) / 2, bottom + 42, 'muted', chart.xAxis, 'middle'))
  // Sluice last, so that it lies on top.
  const drawn = series.toSorted((a, b) => Number(a.peer === 'sluice') - Number(b.peer === 'sluice'))
  for (const one of drawn) children.push(drawLine(one, x, y.at))
  return [...children, ...names(series, x, y.at, first, bottom)]
}

/** Logarithmic, since the work grows by factors. */
function placesOf(xs: number[]): (value: number) => number {
  const low = Math.log(xs[0] ?? 1)
  const high = Math.log(xs.at(-1) ?? 1)
  const from = LEFT + INSET
  const to = RIGHT - INSET
  return (value) =>
    high > low ? from + ((Math.log(value) - low) / (high - low)) * (to - from) : (from + to) / 2
}

function drawLine(
  { peer, points }: Series,
  x: (value: number) => number,
  y: (value: number) => number,
): Child {
  const own = peer === 'sluice'
  const path = points.map((point) => `${round(x(point.x))} ${round(y(point.stat.median))}`).join('L')
  const kind = own ? ' series-sluice' : isLimit(peer) ? ' series-limit' : ''
  return el(
    'g',
    { class: peerColour(peer) },
    ...points.map((point) => line(x(point.x), y(point.stat.min), x(point.x), y(point.stat.max), 'span')),
    el('path', { d: `M${path}`, class: `series${kind}` }),
    ...points.map((point) =>
      el('circle', { cx: x(point.x), cy: y(point.stat.median), r: own ? 5 : 3.5, class: 'dot' }),
    ),
  )
}

/** Beside the ends of the lines, moved apart where they would cover each other, with a stroke to show whose is whose. */
function names(
  series: Series[],
  x: (value: number) => number,
  y: (value: number) => number,
  first: number,
  bottom: number,
): Child[] {
  const ends = series
    .flatMap(({ peer, points }) => {
      const end = points.at(-1)
      return end ? [{ peer, x: x(end.x), y: y(end.stat.median), place: 0 }] : []
    })
    .sort((a, b) => a.y - b.y)
  let place = first - NAME / 2
  for (const end of ends) {
    place = Math.max(end.y, place + NAME)
    end.place = place
  }
  // Too low by what the last stands below the axis: push back up.
  let limit = bottom
  for (const end of ends.toReversed()) {
    end.place = Math.min(end.place, limit)
    limit = end.place - NAME
  }
  return ends.map((end) =>
    el(
      'g',
      { class: peerColour(end.peer) },
      line(end.x + 8, end.y, RIGHT + 14, end.place, 'leader'),
      text(RIGHT + 20, end.place + 4.5, end.peer === 'sluice' ? 'name strong' : 'name', peerName(end.peer)),
    ),
  )
}

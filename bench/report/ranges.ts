// Percentiles of a peer as marks on one logarithmic line: the further they lie apart, the less even the peer.

import { peerColour, peerName } from './peers.ts'
import { logarithmic, type Scale } from './scale.ts'
import { type Child, document, el, line, round, text, WIDTH } from './svg.ts'

export interface RangeRow {
  peer: string
  /** By percentile, as in `marks`; one that was not measured is left out. */
  values: (number | undefined)[]
}

export interface RangePanel {
  title: string
  rows: RangeRow[]
}

export interface RangeChart {
  title: string
  summary: string
  axis: string
  /** At most three: each has a shape of its own. */
  marks: string[]
  panels: RangePanel[]
  format: (value: number) => string
  formatTick: (value: number) => string
}

const LEFT = 168
const RIGHT = WIDTH - 226
/** The figures beside the marks. */
const COLUMN = 60
const COLUMNS = RIGHT + 16
const TOP = 84
const ROW = 30
const HEAD = 34
const FOOT = 62
const SIZE = 5.5

export function rangeChart(chart: RangeChart): string {
  const children: Child[] = [...legend(chart.marks)]
  // One scale for all panels: what is further right is later, wherever it stands.
  const values = chart.panels.flatMap(({ rows }) => rows.flatMap((row) => row.values.filter(isPositive)))
  const scale = logarithmic(Math.min(...values), Math.max(...values), LEFT, RIGHT)
  let top = TOP
  for (const panel of chart.panels) {
    children.push(...drawPanel(chart, panel, top, scale))
    top += HEAD + panel.rows.length * ROW + FOOT
  }
  return document(top, chart.title, chart.summary, children)
}

function legend(marks: string[]): Child[] {
  return marks.flatMap((name, index) => {
    const x = 30 + index * 84
    return [el('g', { class: 'c-net' }, mark(index, x, 58)), text(x + 13, 62.5, 'muted', name)]
  })
}

function isPositive(value: number | undefined): value is number {
  return value !== undefined && value > 0
}

function drawPanel(
  { axis, marks, format, formatTick }: RangeChart,
  { title, rows }: RangePanel,
  top: number,
  scale: Scale,
): Child[] {
  const first = top + HEAD
  const bottom = first + rows.length * ROW
  const children: Child[] = [text(24, top + 14, 'panel', title)]
  for (const tick of scale.ticks) {
    children.push(line(scale.at(tick), first, scale.at(tick), bottom, 'grid'))
    children.push(text(scale.at(tick), bottom + 17, 'tick', formatTick(tick), 'middle'))
  }
  children.push(line(LEFT, bottom, RIGHT, bottom, 'axis'))
  children.push(text((LEFT + RIGHT) / 2, bottom + 38, 'muted', axis, 'middle'))
  for (const [index, name] of marks.entries()) {
    children.push(text(COLUMNS + (index + 1) * COLUMN, first - 6, 'tick', name, 'end'))
  }
  for (const [index, row] of rows.entries()) {
    children.push(...drawRow(row, first + index * ROW + ROW / 2, scale.at, format))
  }
  return children
}

function drawRow(
  { peer, values }: RangeRow,
  y: number,
  at: (value: number) => number,
  format: (value: number) => string,
): Child[] {
  const strong = peer === 'sluice' ? 'strong' : ''
  const places = values.flatMap((value, index) => (value === undefined ? [] : [{ index, x: at(value) }]))
  const xs = places.map(({ x }) => x)
  return [
    text(LEFT - 12, y + 4.5, strong, peerName(peer), 'end'),
    el(
      'g',
      { class: peerColour(peer) },
      line(Math.min(...xs), y, Math.max(...xs), y, 'span'),
      ...places.map(({ index, x }) => mark(index, x, y)),
    ),
    ...values.map((value, index) =>
      text(COLUMNS + (index + 1) * COLUMN, y + 4.5, strong, value === undefined ? '-' : format(value), 'end'),
    ),
  ]
}

/** A circle, a diamond, a triangle: told apart without colour. */
function mark(index: number, x: number, y: number): Child {
  if (index === 0) return el('circle', { cx: x, cy: y, r: SIZE, class: 'dot' })
  const s = SIZE * 1.25
  const points = index === 1 ? [0, -s, s, 0, 0, s, -s, 0] : [0, -s, s, s * 0.8, -s, s * 0.8]
  const placed = points.map((offset, place) => round(offset + (place % 2 === 0 ? x : y))).join(' ')
  return el('polygon', { points: placed, class: 'dot' })
}

// Horizontal bars with the spread of their runs: one panel for each kind of work, the greatest on top.

import { isLimit, peerName } from './peers.ts'
import type { Stat } from './result.ts'
import { linear } from './scale.ts'
import { type Child, document, el, line, text, WIDTH } from './svg.ts'

export interface BarPanel {
  title: string
  bars: { peer: string; stat: Stat }[]
}

export interface BarChart {
  title: string
  summary: string
  /** Named under the axis, with its unit. */
  axis: string
  panels: BarPanel[]
  /** At the end of a bar. */
  format: (value: number) => string
  formatTick: (value: number) => string
  /** Whether less is better, so that the least stands on top. */
  least?: boolean
}

const LEFT = 168
const RIGHT = WIDTH - 84
const TOP = 56
const ROW = 30
const BAR = 18
const CAP = 5
const PANEL_HEAD = 30
const PANEL_FOOT = 62

export function barChart(chart: BarChart): string {
  const children: Child[] = []
  let top = TOP
  for (const panel of chart.panels) {
    children.push(...drawPanel(chart, panel, top))
    top += PANEL_HEAD + panel.bars.length * ROW + PANEL_FOOT
  }
  return document(top, chart.title, chart.summary, children)
}

function drawPanel({ axis, format, formatTick, least }: BarChart, panel: BarPanel, top: number): Child[] {
  const bars = panel.bars.toSorted((a, b) => (least ? -1 : 1) * (b.stat.median - a.stat.median))
  const scale = linear(Math.max(...bars.map(({ stat }) => stat.max), 0), LEFT, RIGHT)
  const first = top + PANEL_HEAD
  const bottom = first + bars.length * ROW
  const children: Child[] = [text(24, top + 14, 'panel', panel.title)]
  for (const tick of scale.ticks) {
    const x = scale.at(tick)
    children.push(line(x, first, x, bottom, tick === 0 ? 'axis' : 'grid'))
    children.push(text(x, bottom + 17, 'tick', formatTick(tick), 'middle'))
  }
  children.push(text((LEFT + RIGHT) / 2, bottom + 38, 'muted', axis, 'middle'))
  for (const [index, { peer, stat }] of bars.entries()) {
    const middle = first + index * ROW + ROW / 2
    const own = peer === 'sluice'
    children.push(
      text(LEFT - 12, middle + 4.5, own ? 'strong' : '', peerName(peer), 'end'),
      el('rect', {
        x: LEFT,
        y: middle - BAR / 2,
        width: Math.max(scale.at(stat.median) - LEFT, 1),
        height: BAR,
        rx: 2,
        class: own ? 'bar-sluice' : isLimit(peer) ? 'bar-limit' : 'bar',
      }),
      ...whisker(scale.at(stat.min), scale.at(stat.max), middle),
      text(scale.at(stat.max) + 10, middle + 4.5, own ? 'strong' : '', format(stat.median)),
    )
  }
  return children
}

/** With a ring of the ground around it, for it lies half on a bar and half on the ground. */
function whisker(from: number, to: number, y: number): Child[] {
  if (to - from < 1) return []
  const [x1, x2] = [from, to].map((x) => Math.round(x * 10) / 10)
  const d = `M${x1} ${y - CAP}V${y + CAP}M${x1} ${y}H${x2}M${x2} ${y - CAP}V${y + CAP}`
  return [el('path', { d, class: 'halo' }), el('path', { d, class: 'whisker' })]
}

// @ts-check
// Line charts of the last two minutes, drawn as SVG: sharp at any pixel density, coloured by the style sheet.
// All charts share one time axis, one crosshair and one set of marks.

import { element, setText, svg } from './dom.js'

/** What the axis spans, in milliseconds. */
const SPAN = 120_000
/** Figures further apart than this leave a hole in the line: what was lost is not drawn over. */
const HOLE = 2_500
const HEIGHT = 104
const MARGIN = { top: 8, right: 6, bottom: 18, left: 42 }

/**
 * @typedef {object} Figures see figures.ts
 * @property {number} n
 * @property {number} at
 * @property {{ machine: number, process: number }} cpu
 * @property {{ rss: number, heap: number, machineUsed: number, machineTotal: number }} memory
 * @property {{ p50: number, p99: number }} loop
 * @property {number} connections
 * @property {number} deliveries
 * @property {number} bytes
 *
 * @typedef {{ name?: string, of: (figures: Figures) => number }} Series the only one of a chart needs no name
 *
 * @typedef {object} ChartOptions
 * @property {string} title
 * @property {string} [hint] beside the title
 * @property {string} unit
 * @property {Series[]} series
 * @property {number} least the top of the axis is never below this, so that noise looks like noise
 * @property {(value: number) => string} format
 * @property {(value: number) => string} [axis] the same for the axis, where room is short; default `format`
 *
 * @typedef {{ at: number, text: string }} Mark
 */

export class Charts {
  /** @type {Figures[]} */
  #points = []
  /** @type {Mark[]} */
  #marks = []
  /** @type {Chart[]} */
  #charts
  /** @type {HTMLElement} */
  #moment
  #silent
  /** The time pointed at. */
  /** @type {number | undefined} */
  #pointed

  /**
   * @param {HTMLElement} place
   * @param {HTMLElement} moment where it says what is pointed at
   * @param {ChartOptions[]} charts
   */
  constructor(place, moment, charts) {
    this.#moment = moment
    this.#silent = moment.textContent ?? ''
    this.#charts = charts.map((options) => new Chart(options))
    place.append(...this.#charts.map(({ root }) => root))
    const redraw = new ResizeObserver(() => this.#draw())
    redraw.observe(place)
    place.addEventListener('pointermove', (event) => this.#point(event))
    place.addEventListener('pointerleave', () => this.#point(undefined))
  }

  /** @param {Figures} figures */
  add(figures) {
    this.#points.push(figures)
    const oldest = figures.at - SPAN - HOLE
    while ((this.#points[0]?.at ?? oldest) < oldest) this.#points.shift()
    while ((this.#marks[0]?.at ?? oldest) < oldest) this.#marks.shift()
    this.#plan()
  }

  /** @param {Mark} mark */
  mark(mark) {
    this.#marks.push(mark)
    this.#plan()
  }

  #planned = false

  /** A replay brings two minutes at once: they are drawn once. */
  #plan() {
    if (this.#planned) return
    this.#planned = true
    requestAnimationFrame(() => this.#draw())
  }

  /** @param {PointerEvent | undefined} event */
  #point(event) {
    const chart = event && this.#charts.find(({ root }) => event.composedPath().includes(root))
    this.#pointed = chart && event ? chart.timeAt(event.clientX) : undefined
    this.#draw()
  }

  #draw() {
    this.#planned = false
    const latest = this.#points.at(-1)
    if (!latest) return
    const shown = this.#pointed === undefined ? latest : nearest(this.#points, this.#pointed)
    const pointed = this.#pointed === undefined ? undefined : shown.at
    for (const chart of this.#charts) chart.draw(this.#points, this.#marks, latest.at, shown, pointed)
    setText(this.#moment, pointed === undefined ? this.#silent : this.#describe(latest.at, pointed))
  }

  /**
   * @param {number} now
   * @param {number} at
   */
  #describe(now, at) {
    const seconds = Math.round((now - at) / 1_000)
    const marks = this.#marks.filter((mark) => Math.abs(mark.at - at) < 1_500).map(({ text }) => text)
    return [seconds === 0 ? 'now' : `${seconds} s ago`, ...marks].join(' · ')
  }
}

/**
 * @param {Figures[]} points at least one
 * @param {number} at
 */
function nearest(points, at) {
  return points.reduce((best, one) => (Math.abs(one.at - at) < Math.abs(best.at - at) ? one : best))
}

class Chart {
  /** @type {ChartOptions} */
  #options
  #values
  #svg
  #grid
  #lines
  #marks
  #cross
  #width = 0
  #now = 0

  /** @param {ChartOptions} options */
  constructor(options) {
    this.#options = options
    const { title, hint = '', unit, series } = options
    this.#values = series.map(() => element('b', 'value', '–'))
    const readings = series.map(({ name }, index) =>
      element(
        'span',
        `reading series-${index + 1}`,
        /** @type {HTMLElement} */ (this.#values[index]),
        element('span', 'unit', unit),
        ...(name ? [element('span', 'name', name)] : []),
      ),
    )
    this.#grid = svg('g', { class: 'grid' })
    this.#marks = svg('g', { class: 'marks' })
    this.#lines = series.map((_, index) => svg('path', { class: `line series-${index + 1}` }))
    this.#cross = svg('g', { class: 'cross' })
    this.#svg = svg('svg', { height: HEIGHT, role: 'img', 'aria-label': title })
    // The first series is the heading; it lies on top.
    this.#svg.append(this.#grid, this.#marks, ...[...this.#lines].reverse(), this.#cross)
    this.root = element('figure', 'chart card')
    this.root.append(
      element('figcaption', '', element('h3', '', title, element('span', 'hint', hint)), ...readings),
      this.#svg,
    )
  }

  /** @param {number} clientX */
  timeAt(clientX) {
    const { left } = this.#svg.getBoundingClientRect()
    const part = (clientX - left - MARGIN.left) / (this.#width - MARGIN.left - MARGIN.right)
    return this.#now - SPAN * (1 - Math.min(1, Math.max(0, part)))
  }

  /**
   * @param {Figures[]} points
   * @param {Mark[]} marks
   * @param {number} now
   * @param {Figures} shown whose values the heading shows
   * @param {number | undefined} pointed
   */
  draw(points, marks, now, shown, pointed) {
    const { series, least, format, title, unit } = this.#options
    this.#now = now
    this.#width = this.#svg.clientWidth
    const top = niceTop(Math.max(least, ...points.flatMap((one) => series.map(({ of }) => of(one)))))
    /** @param {number} at */
    const x = (at) =>
      this.#width - MARGIN.right - ((now - at) / SPAN) * (this.#width - MARGIN.left - MARGIN.right)
    /** @param {number} value */
    const y = (value) => HEIGHT - MARGIN.bottom - (value / top) * (HEIGHT - MARGIN.top - MARGIN.bottom)

    series.forEach(({ of }, index) => {
      setText(/** @type {HTMLElement} */ (this.#values[index]), format(of(shown)))
      this.#lines[index]?.setAttribute(
        'd',
        path(points, now, (one) => [x(one.at), y(of(one))]),
      )
    })
    this.#drawGrid(top, x(now - SPAN), y)
    this.#marks.replaceChildren(
      ...marks.filter(({ at }) => at > now - SPAN && at <= now).map((mark) => this.#mark(x(mark.at), mark)),
    )
    this.#drawCross(series, shown, pointed, x, y)
    const reading = series
      .map(({ name = '', of }) => `${name} ${format(of(shown))} ${unit}`.trim())
      .join(', ')
    this.#svg.setAttribute('aria-label', `${title}: ${reading}`)
  }

  /**
   * @param {number} top
   * @param {number} left
   * @param {(value: number) => number} y
   */
  #drawGrid(top, left, y) {
    const { format, axis = format } = this.#options
    const parts = [0, top / 2, top].flatMap((value) => [
      svg('line', {
        x1: MARGIN.left,
        x2: this.#width - MARGIN.right,
        y1: crisp(y(value)),
        y2: crisp(y(value)),
      }),
      label(axis(value), { x: MARGIN.left - 6, y: y(value) + 3.5, 'text-anchor': 'end' }),
    ])
    const right = this.#width - MARGIN.right
    parts.push(
      label('2 min ago', { x: left, y: HEIGHT - 4 }),
      label('now', { x: right, y: HEIGHT - 4, 'text-anchor': 'end' }),
    )
    if (right - left > 150) {
      parts.push(label('1 min', { x: (left + right) / 2, y: HEIGHT - 4, 'text-anchor': 'middle' }))
    }
    this.#grid.replaceChildren(...parts)
  }

  /**
   * @param {number} x
   * @param {Mark} mark
   */
  #mark(x, { text }) {
    const line = svg('line', { x1: crisp(x), x2: crisp(x), y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom })
    const title = svg('title')
    title.textContent = text
    line.append(title)
    return line
  }

  /**
   * @param {Series[]} series
   * @param {Figures} shown
   * @param {number | undefined} pointed
   * @param {(at: number) => number} x
   * @param {(value: number) => number} y
   */
  #drawCross(series, shown, pointed, x, y) {
    const at = x(shown.at)
    const dots = series.map(({ of }, index) =>
      svg('circle', { class: `series-${index + 1}`, cx: at, cy: y(of(shown)), r: 3 }),
    )
    if (pointed === undefined) this.#cross.replaceChildren(...dots)
    else {
      const line = svg('line', { x1: crisp(at), x2: crisp(at), y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom })
      this.#cross.replaceChildren(line, ...dots)
    }
  }
}

/**
 * @param {Figures[]} points
 * @param {number} now
 * @param {(one: Figures) => [x: number, y: number]} place
 */
function path(points, now, place) {
  let before = Number.NEGATIVE_INFINITY
  let text = ''
  for (const one of points) {
    if (one.at < now - SPAN) continue
    const [x, y] = place(one)
    text += `${one.at - before > HOLE ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`
    before = one.at
  }
  return text
}

/**
 * The next of 1, 2, 4, 5, 10 times a power of ten: a top whose half is a plain number as well.
 *
 * @param {number} value
 */
function niceTop(value) {
  const power = 10 ** Math.floor(Math.log10(value))
  const step = [1, 2, 4, 5, 10].find((one) => one * power >= value) ?? 10
  return step * power
}

/**
 * In the middle of a pixel, where a line of one pixel is sharp.
 *
 * @param {number} value
 */
function crisp(value) {
  return Math.round(value) + 0.5
}

/**
 * @param {string} text
 * @param {Record<string, string | number>} attributes
 */
function label(text, attributes) {
  const made = svg('text', attributes)
  made.textContent = text
  return made
}

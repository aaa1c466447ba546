// SVG by hand: elements, text that cannot break out of its place, and the one style of all charts.

/** Text that is markup already. Only this file makes it. */
export class Markup {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

export type Child = Markup | string | number

type Attributes = Record<string, string | number | undefined>

export function el(name: string, attributes: Attributes = {}, ...children: Child[]): Markup {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${typeof value === 'number' ? round(value) : escapeXml(String(value))}"`)
    .join('')
  const inner = children
    .map((child) => (child instanceof Markup ? child.text : escapeXml(String(child))))
    .join('')
  return new Markup(inner === '' ? `<${name}${written}/>` : `<${name}${written}>${inner}</${name}>`)
}

export function text(
  x: number,
  y: number,
  className: string,
  content: string,
  anchor?: 'middle' | 'end',
): Markup {
  return el('text', { x, y, class: className || undefined, 'text-anchor': anchor }, content)
}

export function line(x1: number, y1: number, x2: number, y2: number, className: string): Markup {
  return el('line', { x1, y1, x2, y2, class: className })
}

export function escapeXml(value: string): string {
  return (
    value
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      // XML 1.0 has no place for these, not even escaped: one would make the file unreadable.
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu, '\ufffd')
  )
}

/** One decimal is a tenth of a pixel, and keeps files small and the same on every machine. */
export function round(value: number): number {
  return Math.round(value * 10) / 10
}

/** About as wide as a page on GitHub, so that text stands there in its own size. */
export const WIDTH = 840

/** How wide a text of the charts' small size is, at most; no font is at hand to measure it. */
export function textWidth(content: string): number {
  return content.length * 7
}

// A chart has a ground of its own: GitHub's theme and the reader's system need not agree, and text must be legible on both.
const STYLE = `
svg { --ground: #ffffff; --edge: #d8dee6; --grid: #e9ecf1; --text: #171b22; --muted: #5c6675; --bar: #a3b1c6; --limit: #dfe5ed;
  --sluice: #1f6feb; --write-string: #5c6675; --write-buffer: #8a95a6; --better: #c25e00; --express: #b3261e;
  --fastify: #7a4fd0; --hono: #b0308f; --nchan: #12805c; --net: #171b22; --other: #6b7a2a }
@media (prefers-color-scheme: dark) { svg { --ground: #0d1117; --edge: #2b333f; --grid: #222a35; --text: #e8ebf0; --muted: #9aa5b5;
  --bar: #55637a; --limit: #2b3543; --sluice: #4c8dff; --write-string: #aab4c3; --write-buffer: #7d899b; --better: #f0a04b;
  --express: #ff7b84; --fastify: #b493ff; --hono: #f07fd0; --nchan: #4cc79a; --net: #e8ebf0; --other: #c5d46a } }
text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; fill: var(--text); font-variant-numeric: tabular-nums }
.title { font-size: 16px; font-weight: 600 }
.panel { font-weight: 600 }
.muted, .tick { fill: var(--muted) }
.tick { font-size: 12px }
.strong { font-weight: 600 }
.ground { fill: var(--ground); stroke: var(--edge) }
.grid { stroke: var(--grid) }
.axis { stroke: var(--muted) }
.bar { fill: var(--bar) }
.bar-sluice { fill: var(--sluice) }
.bar-limit { fill: var(--limit); stroke: var(--muted); stroke-dasharray: 4 3 }
.whisker { stroke: var(--text); stroke-width: 1.5; fill: none }
.halo { stroke: var(--ground); stroke-width: 4.5; fill: none }
.series { fill: none; stroke: currentColor; stroke-width: 2 }
.series-sluice { stroke-width: 3.5 }
.series-limit { stroke-dasharray: 6 4 }
.span { stroke: currentColor; stroke-width: 2; opacity: 0.5 }
.dot { fill: currentColor; stroke: var(--ground); stroke-width: 1.5 }
.leader { stroke: currentColor; opacity: 0.6 }
.name { fill: currentColor }
${['sluice', 'write-string', 'write-buffer', 'better', 'express', 'fastify', 'hono', 'nchan', 'net', 'other']
  .map((name) => `.c-${name} { color: var(--${name}) }`)
  .join(' ')}
`

/** A whole file. `summary` is read to those who do not see the picture. */
export function document(height: number, title: string, summary: string, children: Child[]): string {
  const { text: content } = el(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${WIDTH} ${round(height)}`,
      width: WIDTH,
      height: round(height),
      role: 'img',
      'aria-labelledby': 'title summary',
    },
    el('title', { id: 'title' }, title),
    el('desc', { id: 'summary' }, summary),
    el('style', {}, new Markup(STYLE)),
    el('rect', { x: 0.5, y: 0.5, width: WIDTH - 1, height: height - 1, rx: 8, class: 'ground' }),
    text(24, 34, 'title', title),
    ...children,
  )
  return `${content}\n`
}

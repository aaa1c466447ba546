// The page around the charts: figures in tables, what they were measured with and how, and what they do not say.

import type { Chart } from './charts.ts'
import type { Body } from './collect.ts'
import { comparePeers, peerName } from './peers.ts'
import type { Ratio, Result, Row } from './result.ts'
import { brief, bytes, describe, METRIC_NAMES, metricLabel, metricValue, whole } from './units.ts'

/** Scenarios in the order in which they are told, and what each does. */
const SCENARIOS: Record<string, string> = {
  fanout: 'every event to every connection, as fast as it goes',
  paced: 'events at a steady rate, by the clock',
  idle: 'connections that are open and silent',
  slow: 'some of the readers have stopped reading',
  storm: 'all connect at once, and all come back at once',
  soak: 'a long time with clients that come, go and stall',
  codec: 'encoding and decoding alone',
  cores: 'several processes that share one port',
}

const NOT_SAID = `## What these figures do not say

- **They are of one machine.** The same scenarios on another one give other figures; the ratios travel better than the
  times, and neither is a promise. Run them where you will run your server: the commands are above.
- **They are of loopback.** There is no network card, no TLS, no proxy and no distance in them. With real clients the
  kernel's part grows and the differences between libraries shrink.
- **Server and load generator share a machine**, its memory bandwidth and its kernel. The server's CPU time per delivery bears
  that best, and is the figure to compare; deliveries per second and the tail of the latency bear it worst.
- **Whiskers are the least and the most of a few runs**, not a confidence interval. Two bars whose whiskers overlap are equal, as far as
  this report can tell.
- **They say nothing of a peer but its speed at this work**, in the use that its documentation shows for it. Peers do other things, too, and
  some of what costs time here is a feature there.
- **Throughput is a limit, not a working point.** Nobody should run a server at it; latency is measured at a steady rate far below.
- **Memory per connection is of idle connections.** A connection that is written to also holds what the kernel buffers for it, and that
  is in none of these figures.
- **\`node:net alone\` is no peer**: it writes one prebuilt buffer to every socket, without HTTP, without a log, without a thought for slow
  readers. It shows how much is left to win.
`

/** @param folder of the charts, as seen from the page */
export function page(body: Body, charts: Chart[], folder: string): string {
  const parts = [
    '# Benchmarks',
    'Written by `bench/report` from the results of `bench/`; not by hand. What was measured with what is [below](#how-it-was-measured), and so is [what these figures do not say](#what-these-figures-do-not-say).',
    ...ratioTable(body),
    ...charts.map((chart) => chartPart(chart, folder)),
    ...figures(body),
    ...measured(body),
    NOT_SAID.trimEnd(),
  ]
  return `${parts.join('\n\n')}\n`
}

function ratioTable({ ratios }: Body): string[] {
  if (ratios.length === 0) return []
  const rows = ratios.map((ratio) => [
    ratio.what,
    ratio.scenario,
    times(ratio.value),
    times(ratio.floor),
    held(ratio),
  ])
  return [
    '## Against the floors',
    'Ratios of medians, measured side by side in one run. The bounds are those of the design: a floor, or a ceiling where it says "within".',
    table(['what', 'scenario', 'measured', 'bound', 'held'], rows),
  ]
}

function times(value: Ratio['value'] | Ratio['floor']): string {
  return typeof value === 'number' ? brief(value) : (value ?? '-')
}

function held({ ok }: Ratio): string {
  return ok ? 'yes' : 'NO'
}

function chartPart({ title, alt, note, file }: Chart, folder: string): string {
  return `## ${title}\n\n![${alt}](${folder}/${file})\n\n${note}`
}

function figures({ rows }: Body): string[] {
  const scenarios = [...rows]
    .filter(([, own]) => own.length > 0)
    .sort(([a], [b]) => place(a) - place(b) || compare(a, b))
  if (scenarios.length === 0) return []
  return [
    '## All figures',
    'Medians, with the least and the most of the runs.',
    ...scenarios.map(([name, own]) => scenarioPart(name, own)),
  ]
}

function scenarioPart(scenario: string, rows: Row[]): string {
  const metrics = metricsOf(rows)
  const sorted = rows.toSorted(
    (a, b) =>
      compareWork(a, b) || compare(describe(a.params), describe(b.params)) || comparePeers(a.peer, b.peer),
  )
  const head = ['work', 'peer', ...metrics.map(metricLabel)]
  let before = ''
  const cells = sorted.map(({ peer, params, metrics: own }) => {
    const work = describe(params)
    const shown = work === before ? '' : work
    before = work
    return [shown, peerName(peer), ...metrics.map((name) => cell(name, own[name]))]
  })
  const what = SCENARIOS[scenario]
  const title = `<b>${html(scenario)}</b>${what ? `: ${what}` : ''}`
  return `<details><summary>${title}</summary>\n\n${table(head, cells)}\n\n</details>`
}

function cell(name: string, stat: Row['metrics'][string] | undefined): string {
  if (!stat) return '-'
  const { median, min, max } = stat
  const [middle, least, most] = [median, min, max].map((value) => metricValue(name, value))
  return least === most ? `${middle}` : `${middle} (${least} to ${most})`
}

/** By connections, then by events per turn, then by size. */
function compareWork(a: Row, b: Row): number {
  for (const name of ['eventsPerTurn', 'bytes', 'connections', 'stalled']) {
    const difference = Number(a.params[name] ?? 0) - Number(b.params[name] ?? 0)
    if (difference) return difference
  }
  return 0
}

function metricsOf(rows: Row[]): string[] {
  const used = new Set(rows.flatMap(({ metrics }) => Object.keys(metrics)))
  const known = METRIC_NAMES.filter((name) => used.has(name))
  return [...known, ...[...used].filter((name) => !METRIC_NAMES.includes(name)).sort()]
}

function measured({ results, left }: Body): string[] {
  const newest = results.at(-1)
  if (!newest) return []
  return [
    '## How it was measured',
    machine(newest),
    ...versions(results),
    '### Commands',
    commands(results),
    '### Method',
    methods(results),
    '### Results',
    table(
      ['file', 'scenario', 'at'],
      results.map(({ file, scenario, at }) => [file, scenario, at || '-']),
    ),
    ...left.map(({ file, why }) => `Left out: ${markdown(file)}, ${why}.`),
  ]
}

function machine({ machine }: Result): string {
  const { cpu, cores, memoryBytes, kernel, node } = machine
  const rows: [string, string][] = [
    [
      'CPU',
      [cpu, cores === undefined ? '' : `${whole(cores)} ${cores === 1 ? 'core' : 'cores'}`]
        .filter(Boolean)
        .join(', '),
    ],
    ['memory', memoryBytes === undefined ? '' : bytes(memoryBytes)],
    ['kernel', kernel],
    ['Node.js', node],
  ]
  return table(
    ['machine', ''],
    rows.map(([name, value]) => [name, value || 'not recorded']),
  )
}

function versions(results: Result[]): string[] {
  const all = new Map<string, Set<string>>()
  for (const result of results) {
    for (const [name, version] of Object.entries(result.versions)) {
      all.set(name, (all.get(name) ?? new Set()).add(version))
    }
  }
  if (all.size === 0) return []
  const rows = [...all]
    .sort(([a], [b]) => compare(a, b))
    .map(([name, found]) => [name, [...found].join(', ')])
  return [table(['package', 'version'], rows)]
}

function commands(results: Result[]): string {
  const lines = [...new Set(results.flatMap((result) => result.commands))]
  if (lines.length === 0) return 'Not recorded.'
  const text = lines.join('\n')
  // A fence longer than any run of backticks in the text.
  const fence = '`'.repeat(Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length)) + 1)
  return `${fence}sh\n${text}\n${fence}`
}

function methods(results: Result[]): string {
  const told = new Map<string, string[]>()
  for (const { scenario, method } of results) {
    for (const text of method) told.set(text, [...(told.get(text) ?? []), scenario])
  }
  if (told.size === 0) return 'Not recorded.'
  return [...told]
    .map(([text, scenarios]) => `- ${markdown(text)} (${[...new Set(scenarios)].map(markdown).join(', ')})`)
    .join('\n')
}

function table(head: string[], rows: string[][]): string {
  const written = (cells: string[]): string => `| ${cells.map((text) => markdown(text)).join(' | ')} |`
  return [written(head), `|${head.map(() => ' --- |').join('')}`, ...rows.map(written)].join('\n')
}

/** Text of a result in a line of Markdown: it must not end its cell, nor become HTML. */
function markdown(text: string): string {
  return html(text.replace(/\s+/g, ' ')).replace(/[\\`*_[\]|]/g, '\\$&')
}

function html(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function place(scenario: string): number {
  const index = Object.keys(SCENARIOS).indexOf(scenario)
  return index === -1 ? Number.MAX_SAFE_INTEGER : index
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

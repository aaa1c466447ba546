// Writes the figures of a run into docs/reliability.md, between the markers:
//
//   npm run test:faults -- --json faults.json && npx tsx test/faults/page.ts faults.json

import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Figures, type Outcome, PROMISES, type PromiseName } from './scenario.ts'

const PAGE = fileURLToPath(new URL('../../docs/reliability.md', import.meta.url))
const START = /<!-- figures: .*-->\n/
const END = '<!-- end of figures -->'

interface Run {
  node: string
  platform: string
  long: boolean
  seed: number
  seconds: number
  outcomes: Outcome[]
}

/** The page's part between its markers, from a run of all scenarios. */
export function figures(run: Run): string {
  const parts = [
    `Node ${run.node.slice(1)} on ${run.platform}, seed ${run.seed}, ${run.long ? 'ten times the default counts' : 'the default counts'}, ${run.seconds} s.`,
  ]
  for (const [promise, text] of Object.entries(PROMISES)) {
    // The same keys, which Object.entries widens.
    const attackers = run.outcomes.filter(({ promises }) => promises.includes(promise as PromiseName))
    parts.push(`### ${text}`, attackers.map(({ name }) => `[${name}](#${name})`).join(', '))
  }
  parts.push('### The scenarios', table(run.outcomes), ...run.outcomes.map(details))
  return `\n${parts.join('\n\n')}\n\n`
}

const COLUMNS: readonly [keyof Figures, string][] = [
  ['cases', 'cases tried'],
  ['faults', 'faults injected'],
  ['sent', 'events sent'],
  ['received', 'received'],
  ['told', 'missed and told'],
  ['lost', 'lost'],
  ['doubled', 'doubled'],
]

const JUDGED = new Set<keyof Figures>(['received', 'told', 'lost', 'doubled'])

function table(outcomes: readonly Outcome[]): string {
  const head = ['scenario', ...COLUMNS.map(([, title]) => title)]
  const rows = outcomes.map(({ name, figures, skipped }) => [
    `[${name}](#${name})`,
    ...COLUMNS.map(([column]) => {
      // Where nobody held what clients received against anything, a zero would say too much.
      const known = figures.received > 0 || !JUDGED.has(column)
      return skipped === undefined && known ? grouped(figures[column]) : '–'
    }),
  ])
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(line)].join(
    '\n',
  )
}

function details({ name, attacks, notes, without, skipped, seconds }: Outcome): string {
  const noted = Object.entries(notes).map(([what, value]) => `${what}: ${grouped(value)}`)
  const lacking = without.map((what) => `not run here: ${what}`)
  const last =
    skipped === undefined
      ? [...noted, ...lacking, `${seconds.toFixed(1)} s`].join('; ')
      : `Not run here: ${skipped}`
  return `#### ${name}\n\n${attacks}\n\n${last}.`
}

function grouped(value: number): string {
  return value.toLocaleString('en-US')
}

/** Puts the figures into the page's text. @throws when the markers are gone */
export function withFigures(page: string, run: Run): string {
  const start = START.exec(page)
  const end = page.indexOf(END)
  if (!start || end === -1)
    throw new Error(`docs/reliability.md has no ${start ? END : 'marker for the figures'}`)
  return page.slice(0, start.index + start[0].length) + figures(run) + page.slice(end)
}

const [file] = process.argv.slice(2)
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (file === undefined)
    throw new Error('name the JSON that `npm run test:faults -- --json FILE` has written')
  const run = JSON.parse(readFileSync(file, 'utf8')) as Run // written by the runner
  const broken = run.outcomes.filter((outcome) => outcome.broken.length > 0)
  if (broken.length > 0)
    throw new Error(`not a page for a run that is broken: ${broken.map(({ name }) => name).join()}`)
  writeFileSync(PAGE, withFigures(readFileSync(PAGE, 'utf8'), run))
}

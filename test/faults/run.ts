// Tries to break every promise from outside: one process per scenario, each from a seed that it prints.
//
//   npm run test:faults                            all, at the default size
//   npm run test:faults -- resets --seed 17        one, as it ran with that seed
//   npm run test:faults -- --long --json out.json  ten times the counts, the figures into a file

import { fork } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Outcome } from './scenario.ts'

const here = fileURLToPath(new URL('.', import.meta.url))
/** Beyond what a scenario allows itself: to start, to look for leaks, to end. */
const GRACE = 60_000
/** After it has told its outcome, nothing may keep a scenario's process. */
const LINGER = 5_000

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string' },
    long: { type: 'boolean', default: false },
    json: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
})

const known = readdirSync(join(here, 'scenarios'))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -3))
  .sort()
const unknown = positionals.filter((name) => !known.includes(name))
if (unknown.length > 0 || values.list) {
  if (unknown.length > 0) console.error(`there is no scenario ${unknown.join(', ')}; there are:`)
  console.log(known.join('\n'))
  process.exit(unknown.length > 0 ? 1 : 0)
}
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed)
if (!Number.isSafeInteger(seed)) {
  console.error(`--seed is ${values.seed}; it must be a whole number`)
  process.exit(1)
}

const names = positionals.length > 0 ? positionals : known
const began = performance.now()
const outcomes: Outcome[] = []
for (const name of names) {
  const outcome = await run(name)
  outcomes.push(outcome)
  print(outcome)
}
const broken = outcomes.filter((outcome) => outcome.broken.length > 0)
for (const { name, skipped } of outcomes)
  if (skipped !== undefined) console.log(`SKIPPED ${name}: ${skipped}`)
const seconds = Math.round((performance.now() - began) / 1_000)
console.log(`${names.length} scenarios, ${broken.length} broken, seed ${seed}, ${seconds} s`)
if (values.json !== undefined) {
  const about = { node: process.version, platform: process.platform, long: values.long, seed, seconds }
  writeFileSync(values.json, `${JSON.stringify({ ...about, outcomes }, undefined, 2)}\n`)
}
process.exitCode = broken.length > 0 ? 1 : 0

async function run(name: string): Promise<Outcome> {
  const file = join(here, 'scenarios', `${name}.ts`)
  const args = ['--file', file, '--seed', String(seed), ...(values.long ? ['--long'] : [])]
  const child = fork(join(here, 'one.ts'), args, { execArgv: ['--import', 'tsx', '--expose-gc'] })
  let outcome: Outcome | undefined
  let timer: NodeJS.Timeout | undefined
  let late = ''
  const limit = (after: number, what: string): void => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      late = what
      child.kill('SIGKILL')
    }, after)
  }
  // The scenario bounds itself; this is for one that does not come to it.
  limit((values.long ? 10 : 1) * 180_000 + GRACE, 'its process hung')
  child.on('message', (told: Outcome) => {
    outcome = told
    limit(LINGER, 'something kept its process')
  })
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => {
    child.on('exit', (code, signal) => resolve([code, signal]))
  })
  clearTimeout(timer)
  if (outcome && late === '') return outcome
  const figures = { cases: 0, faults: 0, sent: 0, received: 0, told: 0, lost: 0, doubled: 0 }
  const nothing = {
    name,
    promises: [],
    attacks: '',
    seed,
    seconds: 0,
    figures,
    notes: {},
    broken: [],
    without: [],
  }
  const what = late === '' ? `its process ended with ${signal ?? code} and told nothing` : late
  return { ...nothing, ...outcome, broken: [...(outcome?.broken ?? []), what] }
}

function print(outcome: Outcome): void {
  const { name, skipped, seconds, figures, notes, broken } = outcome
  const word = skipped !== undefined ? 'skipped' : broken.length > 0 ? 'BROKEN' : 'kept'
  const parts = Object.entries({ ...figures, ...notes }).map(([what, count]) => `${what} ${count}`)
  console.log(`${word.padEnd(8)}${name.padEnd(20)}${seconds.toFixed(1).padStart(6)} s  ${parts.join(', ')}`)
  for (const line of broken) console.log(`        ${line}`)
  if (broken.length > 0) console.log(`        again: npm run test:faults -- ${name} --seed ${outcome.seed}`)
}

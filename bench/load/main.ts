// Loads an event stream endpoint as EventSource clients would, and reports how it bore it. See --help.

import { writeFileSync } from 'node:fs'
import { Fleet, type Run } from './fleet.ts'
import { duration, number } from './format.ts'
import { plan, readLimits } from './limits.ts'
import { type LoadOptions, Refusal, readOptions, USAGE } from './options.ts'
import { type Facts, type Report, reportOf } from './report.ts'
import { table } from './table.ts'
import { resolveTarget } from './target.ts'

const PROGRESS = 1_000
/** How often it is seen whether anything can still happen. */
const LOOK = 250
const REFUSED = 2

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2))
  if (options === 'help') {
    process.stdout.write(USAGE)
    return 0
  }
  const target = await resolveTarget(options.url, options.allowed)
  const { processes, sources } = plan(options.clients, options.processes, target, readLimits())
  const fleet = new Fleet(runOf(options, target.address, sources), processes)
  const at = new Date()
  const interrupted = await watch(fleet, options)
  const figures = await fleet.stop()
  const facts: Facts = { options, target, processes, sources: sources.length, at, interrupted }
  const report = reportOf(figures, facts)
  show(report, options.json)
  return report.connects.opened > 0 ? 0 : 1
}

function runOf(options: LoadOptions, address: string, sources: string[]): Run {
  const { url, insecure, timestamp, clients, slow, ramp, churn, fresh } = options
  const headers: Run['headers'] = {
    accept: 'text/event-stream',
    'cache-control': 'no-cache',
    connection: 'keep-alive',
    'accept-encoding': 'identity',
  }
  const given = new Set<string>()
  for (const [name, value] of options.headers) {
    const key = name.toLowerCase()
    // One that is given takes the place of ours; one that is given twice is sent twice.
    headers[key] = given.has(key) ? [headers[key] ?? [], value].flat() : value
    given.add(key)
  }
  return { url: url.href, address, headers, insecure, timestamp, sources, clients, slow, ramp, churn, fresh }
}

/** Settles when the run is over: by its time, by Ctrl-C (then `true`), or because no client will do anything more. */
async function watch(fleet: Fleet, options: LoadOptions): Promise<boolean> {
  const { promise: interrupt, release } = interruption()
  const timers: NodeJS.Timeout[] = []
  try {
    const started = fleet.start()
    const early = await Promise.race([started.then(() => false), interrupt])
    if (early) return true
    const begin = performance.now()
    const time = new Promise<boolean>((resolve) => {
      timers.push(setTimeout(() => resolve(false), options.ramp + options.duration))
      timers.push(setInterval(() => fleet.tick().over === options.clients && resolve(false), LOOK))
    })
    timers.push(progress(fleet, begin))
    return await Promise.race([time, interrupt, fleet.broken.then(() => false)])
  } finally {
    release()
    for (const timer of timers) clearTimeout(timer)
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  }
}

/** The first Ctrl-C ends the run; a second one ends the program as usual. */
function interruption(): { promise: Promise<boolean>; release: () => void } {
  let stop: () => void = () => {}
  const promise = new Promise<boolean>((resolve) => {
    stop = () => resolve(true)
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)
  })
  const release = (): void => {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
  }
  return { promise, release }
}

/** One line that renews itself on a terminal, and a line a second elsewhere. */
function progress(fleet: Fleet, begin: number): NodeJS.Timeout {
  let events = 0
  let before = begin
  return setInterval(() => {
    const tick = fleet.tick()
    const now = performance.now()
    const rate = ((tick.events - events) / (now - before)) * 1_000
    events = tick.events
    before = now
    const line = `${duration(now - begin)}: ${number(tick.open)} open, ${number(Math.round(rate))} events/s, ${number(tick.closes)} disconnected, ${number(tick.failures)} failed`
    process.stderr.write(process.stderr.isTTY ? `\r${line}\x1b[K` : `${line}\n`)
  }, PROGRESS)
}

function show(report: Report, file: string | undefined): void {
  const json = `${JSON.stringify(report, null, 2)}\n`
  if (file === '-') process.stdout.write(json)
  else {
    process.stdout.write(table(report))
    if (file !== undefined) writeFileSync(file, json)
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof Refusal)) throw error
  process.stderr.write(`${error.message}\n\n(--help tells the options)\n`)
  process.exitCode = REFUSED
}

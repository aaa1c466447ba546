// One scenario in a process of its own: runs it, cleans up, looks for what is left, and tells the runner.

import { parseArgs } from 'node:util'
import { countTimers, leaks, snapshot } from './leaks.ts'
import { Broken, type Outcome, Report, type Scenario } from './scenario.ts'
import { within } from './wait.ts'

countTimers()

const { values } = parseArgs({
  options: { file: { type: 'string' }, seed: { type: 'string' }, long: { type: 'boolean' } },
})
const { default: scenario }: { default: Scenario } = await import(values.file ?? '')
const { target } = await import('./target.ts')
const { StreamClient } = await import('./client.ts')

const seed = Number(values.seed)
const report = new Report(seed, values.long === true)
const uncaught = (kind: string) => (error: unknown) => {
  report.fail(`${kind}: ${error instanceof Error ? error.stack : String(error)}`)
}
process.on('uncaughtException', uncaught('uncaught'))
process.on('unhandledRejection', uncaught('unhandled'))
process.on('warning', (warning) => report.fail(`a warning of the platform: ${warning.stack}`))

const missing = scenario.missing?.()
if (missing === undefined) {
  await warmUp()
  const before = await snapshot()
  const began = performance.now()
  await attempt(() =>
    within(scenario.run(seed, report), 'the scenario', (report.long ? 10 : 1) * scenario.limit * 1_000),
  )
  await attempt(() => report.cleanUp())
  const seconds = (performance.now() - began) / 1_000
  for (const leak of await leaks(before, report.heapAllowance)) report.fail(leak)
  tell({ seconds })
} else tell({ seconds: 0, skipped: missing })

/** The way from here to the runner is the last thing that keeps this process; what else does is a leak. */
function tell({ seconds, skipped }: { seconds: number; skipped?: string }): void {
  const { name, promises, attacks } = scenario
  const { figures, notes, broken, without } = report
  const outcome: Outcome = {
    name,
    promises,
    attacks,
    seed,
    seconds,
    figures,
    notes,
    broken: broken.slice(0, 20),
    without,
    ...(skipped === undefined ? {} : { skipped }),
  }
  process.exitCode = broken.length > 0 ? 1 : 0
  if (process.send) process.send(outcome, () => process.disconnect())
  else console.log(outcome)
}

async function attempt(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (error instanceof Broken) report.fail(error.message)
    else report.fail(error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
}

/** What the platform makes once (a DNS handle, caches, compiled code) belongs to the state to come back to. */
async function warmUp(): Promise<void> {
  const once = new Report(0, false)
  const to = await target(once)
  const clients = Array.from({ length: 20 }, () => new StreamClient({ port: to.port }))
  await Promise.all(clients.map((client) => new Promise((resolve) => client.socket.once('data', resolve))))
  for (let n = 0; n < 500; n += 1) await to.publish(100)
  for (const client of clients) client.reset()
  await Promise.all(clients.map((client) => client.ended()))
  await once.cleanUp()
  for (const line of once.broken) report.fail(`while warming up: ${line}`)
}

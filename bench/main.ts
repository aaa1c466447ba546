// npm run bench -- SCENARIO [options]: runs one scenario, prints its table, writes its JSON.

import { writeFileSync } from 'node:fs'
import { profileServers } from './harness/session.ts'
import { LimitError } from './limits.ts'
import { Options, optionsHelp, UsageError } from './options.ts'
import { progressDone } from './progress.ts'
import { result } from './result.ts'
import { SCENARIOS } from './scenarios/index.ts'
import type { Scenario } from './scenarios/scenario.ts'
import { report } from './table.ts'

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv
  if (name === undefined || name === '--help' || name === '-h') {
    process.stdout.write(help())
    return name === undefined ? 2 : 0
  }
  const scenario = SCENARIOS.find((one) => one.name === name)
  if (!scenario) throw new UsageError(`There is no scenario "${name}".\n\n${help()}`)
  const options = Options.parse(scenario.options, rest)
  if (options === 'help') {
    process.stdout.write(scenarioHelp(scenario))
    return 0
  }
  const profiles = options.text('cpu-prof')
  if (profiles !== '') profileServers(profiles)

  const measured = await scenario.run(options)
  progressDone()
  const outcome = result(scenario.name, scenario.method, measured)
  const file = options.text('json')
  const json = `${JSON.stringify(outcome, null, 2)}\n`
  if (file === '-') process.stdout.write(json)
  else process.stdout.write(report(outcome))
  if (file !== '' && file !== '-') writeFileSync(file, json)
  return outcome.ratios?.every(({ ok }) => ok) === false ? 1 : 0
}

function help(): string {
  const list = SCENARIOS.map(({ name, summary }) => `  ${name.padEnd(10)}${summary}`).join('\n')
  return `npm run bench -- SCENARIO [options]\n\n${list}\n\nnpm run bench -- SCENARIO --help lists its options; bench/README.md says how to read the figures.\n`
}

function scenarioHelp({ name, summary, method, options }: Scenario): string {
  return `npm run bench -- ${name} [options]\n\n${summary}\n\n${optionsHelp(options)}\n\n${method}\n`
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  progressDone()
  if (error instanceof UsageError || error instanceof LimitError) {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 2
  } else {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
    process.exitCode = 1
  }
}

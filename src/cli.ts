#!/usr/bin/env node
// The command line: `npx sluice doctor URL`.

import { doctor } from './doctor/main.ts'

const USAGE = `Usage: sluice doctor URL [options]

  doctor   probes an endpoint that speaks text/event-stream: what an EventSource would meet there, and the cure

npx sluice doctor --help tells more.
`

const [command, ...rest] = process.argv.slice(2)
const { stdout, stderr, env } = process
// Whoever reads us may leave (`| head`).
for (const stream of [stdout, stderr]) stream.on('error', () => {})

if (command === 'doctor') {
  const interrupt = new AbortController()
  // The second one ends the process as if nobody listened.
  process.once('SIGINT', () => interrupt.abort())
  process.exitCode = await doctor(
    rest,
    {
      out: (text) => void stdout.write(text),
      err: (text) => void stderr.write(text),
      colour: stdout.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb',
      watched: stderr.isTTY === true,
      width: stdout.columns ?? 100,
    },
    interrupt.signal,
  )
} else if (command === 'help' || command === '--help' || command === '-h') {
  stdout.write(USAGE)
} else {
  stderr.write(command === undefined ? USAGE : `There is no command ${JSON.stringify(command)}.\n${USAGE}`)
  process.exitCode = 3
}

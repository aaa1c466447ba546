// `sluice doctor`: from the command line to an exit status.

import type { Severity } from './finding.ts'
import type { Observations } from './observations.ts'
import { DOCTOR_USAGE, Refusal, readOptions } from './options.ts'
import { probe } from './probe.ts'
import { json, table } from './report.ts'
import { diagnose, worst } from './rules.ts'
import { duration } from './text.ts'

/** Where the doctor speaks: a process's streams, or a test's. */
export interface Terminal {
  out(text: string): void
  err(text: string): void
  readonly colour: boolean
  /** Whether a person is watching. */
  readonly watched: boolean
  readonly width: number
}

/** Exit statuses; `--help` documents them. */
const STATUS: Readonly<Record<Severity, number>> = { ok: 0, info: 0, warning: 1, error: 2 }
const COULD_NOT_RUN = 3
/** A wait at which one begins to wonder. */
const LONG = 10_000

/**
 * Probes and prints. Never rejects for what a server does.
 *
 * @param signal ends the probe early; what is known by then is printed
 * @returns the exit status
 */
export async function doctor(argv: string[], terminal: Terminal, signal: AbortSignal): Promise<number> {
  let options: ReturnType<typeof readOptions>
  try {
    options = readOptions(argv)
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal
    terminal.err(`${refusal.message}\nTry: npx sluice doctor --help\n`)
    return COULD_NOT_RUN
  }
  if (options === 'help') {
    terminal.out(DOCTOR_USAGE)
    return 0
  }
  if (terminal.watched && options.wait >= LONG) {
    terminal.err(`Watching for ${duration(options.wait)}; Ctrl-C ends it with what is known by then.\n`)
  }
  const seen = await probe(options, signal)
  const findings = diagnose(seen)
  const status = couldNotRun(seen) ? COULD_NOT_RUN : STATUS[worst(findings)]
  terminal.out(options.json ? json(seen, findings, status) : table(seen, findings, terminal))
  return status
}

function couldNotRun({ main: { failure } }: Observations): boolean {
  return failure !== undefined && failure.during !== 'response'
}

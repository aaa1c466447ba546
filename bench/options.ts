// The command line of a scenario: its options with their defaults, and help made of them.

import { parseArgs } from 'node:util'
import { missing, PEERS, type PeerName } from './peers/index.ts'

export interface OptionSpec {
  /** What stands for the value in the help. */
  value: string
  default: string
  help: string
}

export class UsageError extends Error {}

export const COMMON: Record<string, OptionSpec> = {
  json: {
    value: 'FILE',
    default: '',
    help: 'write the result as JSON as well; "-" prints it instead of the table',
  },
  'cpu-prof': { value: 'DIR', default: '', help: 'each server process writes a CPU profile there' },
}

/** The values given on a command line, or the defaults. */
export class Options {
  readonly #values: Record<string, string>

  constructor(values: Record<string, string>) {
    this.#values = values
  }

  static parse(specs: Record<string, OptionSpec>, argv: readonly string[]): Options | 'help' {
    const all = { ...specs, ...COMMON }
    try {
      const { values } = parseArgs({
        args: [...argv],
        strict: true,
        allowPositionals: false,
        options: {
          help: { type: 'boolean', short: 'h' },
          ...Object.fromEntries(Object.keys(all).map((name) => [name, { type: 'string' as const }])),
        },
      })
      if (values.help) return 'help'
      const entries = Object.entries(all).map(([name, spec]) => [
        name,
        String((values as Record<string, unknown>)[name] ?? spec.default),
      ])
      return new Options(Object.fromEntries(entries))
    } catch (error) {
      throw new UsageError(error instanceof Error ? error.message : String(error))
    }
  }

  text(name: string): string {
    return this.#values[name] ?? ''
  }

  number(name: string): number {
    const value = Number(this.text(name))
    if (!Number.isFinite(value) || value <= 0) {
      throw new UsageError(`--${name} must be a number above 0, not "${this.text(name)}"`)
    }
    return value
  }

  numbers(name: string): number[] {
    return this.list(name).map((text) => {
      const value = Number(text)
      if (!Number.isFinite(value) || value <= 0) {
        throw new UsageError(`--${name} must be numbers above 0 with commas, not "${this.text(name)}"`)
      }
      return value
    })
  }

  list(name: string): string[] {
    return this.text(name)
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '')
  }

  /** The peers asked for that can run here; the others are told with the reason. */
  peers(notes: string[]): PeerName[] {
    return this.list('peers').filter((name): name is PeerName => {
      if (!(PEERS as readonly string[]).includes(name)) {
        throw new UsageError(`There is no peer "${name}"; there are ${PEERS.join(', ')}.`)
      }
      return available(name as PeerName, notes)
    })
  }
}

export function available(name: PeerName, notes: string[]): boolean {
  const reason = missing(name)
  if (reason === undefined) return true
  notes.push(`SKIPPED ${name}: ${reason}`)
  process.stderr.write(`SKIPPED ${name}: ${reason}\n`)
  return false
}

export function optionsHelp(specs: Record<string, OptionSpec>): string {
  return Object.entries({ ...specs, ...COMMON })
    .map(([name, { value, default: preset, help }]) => {
      const left = `--${name} ${value}`.padEnd(30)
      return `  ${left}${help}${preset === '' ? '' : ` (${preset})`}`
    })
    .join('\n')
}

// What a scenario yields: single runs, their medians and spread, ratios held against floors.

import { type Machine, machine, versions } from './machine.ts'
import { type Spread, spread } from './statistics.ts'

export type Params = Record<string, string | number>
export type Metrics = Record<string, number>

export interface Run {
  peer: string
  params: Params
  round: number
  metrics: Metrics
}

export interface Summary {
  peer: string
  params: Params
  metrics: Record<string, Spread>
}

export interface Ratio {
  what: string
  value: number
  floor: number
  /** Whether `value` must be at least or at most `floor`. */
  must: 'at least' | 'at most'
  ok: boolean
}

export interface Result {
  scenario: string
  /** ISO 8601. */
  at: string
  machine: Machine
  versions: Record<string, string>
  command: string
  method: string
  runs: Run[]
  summary: Summary[]
  ratios?: Ratio[]
  /** Said beside the figures: peers that were skipped, measurements that have no floor. */
  notes: string[]
}

export function result(
  scenario: string,
  method: string,
  measured: { runs: Run[]; ratios?: Ratio[]; notes?: string[] },
): Result {
  return {
    scenario,
    at: new Date().toISOString(),
    machine: machine(),
    versions: versions(),
    command: command(process.argv.slice(2)),
    method,
    runs: measured.runs,
    summary: summarise(measured.runs),
    ...(measured.ratios ? { ratios: measured.ratios } : {}),
    notes: measured.notes ?? [],
  }
}

/** What somebody else would type: where this result was kept is nobody's business. */
export function command(argv: readonly string[]): string {
  const kept = argv.filter((word, index) => word !== '--json' && argv[index - 1] !== '--json')
  return ['npm run bench --', ...kept.filter((word) => !word.startsWith('--json='))].join(' ')
}

export function summarise(runs: readonly Run[]): Summary[] {
  const groups = new Map<string, Run[]>()
  for (const run of runs) {
    const key = JSON.stringify([run.peer, run.params])
    const group = groups.get(key)
    if (group) group.push(run)
    else groups.set(key, [run])
  }
  return [...groups.values()].map((group) => {
    const [first] = group as [Run, ...Run[]] // groups are made of runs
    const metrics: Record<string, Spread> = {}
    for (const name of Object.keys(first.metrics)) {
      metrics[name] = spread(group.map((run) => run.metrics[name] ?? Number.NaN))
    }
    return { peer: first.peer, params: first.params, metrics }
  })
}

export function ratio(what: string, value: number, must: Ratio['must'], floor: number): Ratio {
  return { what, value, floor, must, ok: must === 'at least' ? value >= floor : value <= floor }
}

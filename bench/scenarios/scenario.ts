// What a scenario is, and how its runs alternate.

import type { OptionSpec, Options } from '../options.ts'
import { progress } from '../progress.ts'
import type { Metrics, Params, Ratio, Run } from '../result.ts'

export interface Measured {
  runs: Run[]
  ratios?: Ratio[]
  notes?: string[]
}

export interface Scenario {
  name: string
  /** One line. */
  summary: string
  /** How it measures, for the reader of its figures. */
  method: string
  options: Record<string, OptionSpec>
  run(options: Options): Promise<Measured>
}

export interface Case {
  peer: string
  params: Params
  measure(): Promise<Metrics>
}

/** Every case once per round, in turn (A B A B), so that what the machine does meanwhile meets all of them. */
export async function interleaved(name: string, rounds: number, cases: readonly Case[]): Promise<Run[]> {
  const runs: Run[] = []
  for (let round = 1; round <= rounds; round += 1) {
    for (const [index, { peer, params, measure }] of cases.entries()) {
      const what = Object.entries(params).map(([key, value]) => `${key} ${value}`)
      progress(
        `${name}: round ${round}/${rounds}, ${index + 1}/${cases.length}: ${[peer, ...what].join(', ')}`,
      )
      runs.push({ peer, params, round, metrics: await measure() })
    }
  }
  return runs
}

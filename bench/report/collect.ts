// Several result files into one body of figures: the newest of each, and all of one machine, since figures of two
// machines in one chart would compare the machines.

import { keyOf, type Ratio, type Result, type Row } from './result.ts'

export interface Body {
  /** Newest last. */
  results: Result[]
  /** Files that were left out, and why. */
  left: { file: string; why: string }[]
  /** By scenario: for each peer and work its newest row. */
  rows: Map<string, Row[]>
  ratios: (Ratio & { scenario: string })[]
}

export function collect(files: Result[]): Body {
  const sorted = files.toSorted((a, b) => compare(a.at, b.at) || compare(a.file, b.file))
  const machine = sorted.at(-1)?.machine
  const results = sorted.filter((result) => sameMachine(result, machine))
  const left = sorted
    .filter((result) => !sameMachine(result, machine))
    .map(({ file }) => ({ file, why: 'of another machine or Node.js than the newest result' }))

  const rows = new Map<string, Map<string, Row>>()
  const ratios = new Map<string, Ratio & { scenario: string }>()
  for (const { scenario, rows: own, ratios: ownRatios } of results) {
    const known = rows.get(scenario) ?? new Map<string, Row>()
    rows.set(scenario, known)
    for (const row of own) known.set(keyOf(row.peer, row.params), row)
    for (const ratio of ownRatios) ratios.set(`${scenario} ${ratio.what}`, { ...ratio, scenario })
  }
  return {
    results,
    left,
    rows: new Map([...rows].map(([scenario, known]) => [scenario, [...known.values()]])),
    ratios: [...ratios.values()],
  }
}

function sameMachine({ machine }: Result, other: Result['machine'] | undefined): boolean {
  return machine.cpu === other?.cpu && machine.cores === other.cores && machine.node === other.node
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

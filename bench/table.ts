// Results as text: a table per set of parameters' names, medians with their spread.

import type { Ratio, Result, Summary } from './result.ts'
import type { Spread } from './statistics.ts'

export function report(result: Result): string {
  const { machine, versions } = result
  const parts = [
    `${result.scenario} · ${result.at}`,
    `${machine.cpu}, ${machine.cores} cores, ${(machine.memoryBytes / 2 ** 30).toFixed(1)} GiB, ${machine.kernel}, Node ${machine.node}`,
    Object.entries(versions)
      .filter(([name]) => name !== 'node')
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
    result.method,
    ...tables(result.summary),
    ...(result.ratios ? [ratios(result.ratios)] : []),
    ...(result.notes.length > 0 ? [result.notes.join('\n')] : []),
  ]
  return `${parts.join('\n\n')}\n`
}

function tables(summary: readonly Summary[]): string[] {
  const kinds = new Map<string, Summary[]>()
  for (const row of summary) {
    const kind = JSON.stringify([Object.keys(row.params), Object.keys(row.metrics)])
    const rows = kinds.get(kind)
    if (rows) rows.push(row)
    else kinds.set(kind, [row])
  }
  return [...kinds.values()].map((rows) => {
    const params = Object.keys(rows[0]?.params ?? {})
    const metrics = Object.keys(rows[0]?.metrics ?? {})
    return aligned([
      ['peer', ...params, ...metrics],
      ...rows.map((row) => [
        row.peer,
        ...params.map((name) => String(row.params[name])),
        ...metrics.map((name) => spreadText(row.metrics[name])),
      ]),
    ])
  })
}

export function ratios(all: readonly Ratio[]): string {
  return aligned([
    ['', 'measured', 'must be', ''],
    ...all.map(({ what, value, must, floor, ok }) => [
      what,
      figure(value),
      `${must} ${figure(floor)}`,
      ok ? 'ok' : 'MISSED',
    ]),
  ])
}

function spreadText(spread: Spread | undefined): string {
  if (!spread) return ''
  const { median, min, max, n } = spread
  return n > 1 ? `${figure(median)} (${figure(min)}–${figure(max)})` : figure(median)
}

export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  if (size >= 1_000) return Math.round(value).toLocaleString('en-US')
  if (size >= 100) return value.toFixed(0)
  return size >= 10 ? value.toFixed(1) : value.toFixed(size >= 1 ? 2 : 3)
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows)
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length)
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

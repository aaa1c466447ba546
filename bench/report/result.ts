// What a scenario writes and this report reads. Files are taken as they come: what is missing or of another type is
// left out, so that results of older and newer scenarios can stand in one report.

export interface Machine {
  cpu: string
  cores: number | undefined
  memoryBytes: number | undefined
  kernel: string
  node: string
}

export type Params = Record<string, string | number | boolean>

export interface Stat {
  median: number
  min: number
  max: number
  /** Runs behind it. */
  n: number
}

export interface Row {
  peer: string
  params: Params
  metrics: Record<string, Stat>
}

export interface Ratio {
  what: string
  value: number | undefined
  floor: number | string | undefined
  ok: boolean
}

export interface Result {
  /** The file's name, without its folder. */
  file: string
  scenario: string
  at: string
  machine: Machine
  versions: Record<string, string>
  commands: string[]
  method: string[]
  rows: Row[]
  ratios: Ratio[]
}

/** @throws {Error} when the text is no result at all */
export function readResult(file: string, text: string): Result {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new Error(`${file} is no JSON: ${error instanceof Error ? error.message : error}`)
  }
  if (!isObject(json) || typeof json.scenario !== 'string') {
    throw new Error(`${file} is no result of a scenario: it has no "scenario".`)
  }
  const machine = isObject(json.machine) ? json.machine : {}
  const summary = list(json.summary).flatMap(readRow)
  return {
    file,
    scenario: json.scenario,
    at: string(json.at),
    machine: {
      cpu: string(machine.cpu),
      cores: number(machine.cores),
      memoryBytes: number(machine.memoryBytes),
      kernel: string(machine.kernel),
      node: string(machine.node),
    },
    versions: Object.fromEntries(
      Object.entries(isObject(json.versions) ? json.versions : {}).map(([name, version]) => [
        name,
        String(version),
      ]),
    ),
    commands: texts(json.command),
    method: texts(json.method),
    rows: summary.length > 0 ? summary : summarise(list(json.runs)),
    ratios: list(json.ratios).flatMap(readRatio),
  }
}

function readRow(value: unknown): Row[] {
  if (!isObject(value) || typeof value.peer !== 'string' || !isObject(value.metrics)) return []
  const metrics: Record<string, Stat> = {}
  for (const [name, stat] of Object.entries(value.metrics)) {
    const median = isObject(stat) ? number(stat.median) : number(stat)
    if (median === undefined) continue
    const { min, max, n } = isObject(stat) ? stat : {}
    metrics[name] = { median, min: number(min) ?? median, max: number(max) ?? median, n: number(n) ?? 1 }
  }
  return [{ peer: value.peer, params: readParams(value.params), metrics }]
}

/** A result that was cut short has runs and no summary yet. */
function summarise(runs: unknown[]): Row[] {
  const groups = new Map<string, { peer: string; params: Params; values: Record<string, number[]> }>()
  for (const run of runs) {
    if (!isObject(run) || typeof run.peer !== 'string' || !isObject(run.metrics)) continue
    const params = readParams(run.params)
    const key = keyOf(run.peer, params)
    const group = groups.get(key) ?? { peer: run.peer, params, values: {} }
    groups.set(key, group)
    for (const [name, value] of Object.entries(run.metrics)) {
      if (number(value) === undefined) continue
      group.values[name] ??= []
      group.values[name].push(value as number)
    }
  }
  return [...groups.values()].map(({ peer, params, values }) => ({
    peer,
    params,
    metrics: Object.fromEntries(Object.entries(values).map(([name, all]) => [name, statOf(all)])),
  }))
}

function statOf(values: number[]): Stat {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  const low = sorted[Math.floor(middle)] as number // there is at least one
  const high = sorted[Math.ceil(middle)] as number
  return {
    median: (low + high) / 2,
    min: sorted[0] as number,
    max: sorted.at(-1) as number,
    n: sorted.length,
  }
}

function readRatio(value: unknown): Ratio[] {
  if (!isObject(value) || typeof value.what !== 'string') return []
  const bound = number(value.floor)
  const floor =
    typeof value.must === 'string' && bound !== undefined
      ? `${value.must} ${bound}`
      : typeof value.floor === 'string'
        ? value.floor
        : bound
  return [{ what: value.what, value: number(value.value), floor, ok: value.ok === true }]
}

function readParams(value: unknown): Params {
  const params: Params = {}
  for (const [name, param] of Object.entries(isObject(value) ? value : {})) {
    if (['string', 'number', 'boolean'].includes(typeof param))
      params[name] = param as string | number | boolean
  }
  return params
}

/** The same for the same peer at the same work, in whatever order its parameters stand. */
export function keyOf(peer: string, params: Params): string {
  return JSON.stringify([peer, Object.entries(params).sort(([a], [b]) => (a < b ? -1 : 1))])
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

function string(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

function texts(value: unknown): string[] {
  if (typeof value === 'string') return value === '' ? [] : [value]
  if (isObject(value)) return Object.entries(value).map(([name, text]) => `${name}: ${text}`)
  return list(value).map(String)
}

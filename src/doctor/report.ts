// The findings for a person: a table, the worst first, each with its evidence and its cure; and for programs, as JSON.

import { type Finding, SEVERITIES, type Severity } from './finding.ts'
import type { Exchange, Observations } from './observations.ts'
import { duration, quoted } from './text.ts'

const COLOURS: Readonly<Record<Severity, string>> = { ok: '32', info: '36', warning: '33', error: '31' }
const DIM = '2'
const BOLD = '1'

export interface Look {
  readonly colour: boolean
  /** Columns of the terminal. */
  readonly width: number
}

const LEAST_TEXT = 30

/** A table of findings, ready to be written. */
export function table(seen: Observations, findings: readonly Finding[], { colour, width }: Look): string {
  const paint = (code: string, text: string): string => (colour ? `\x1b[${code}m${text}\x1b[0m` : text)
  const codes = Math.max(0, ...findings.map(({ code }) => code.length))
  const margin = 'warning'.length + 2 + codes + 2
  const room = Math.max(LEAST_TEXT, width - margin)
  const indent = ' '.repeat(margin)
  const lines = [paint(BOLD, `${quoted(seen.url, 200).slice(1, -1)}`), summary(seen), '']
  for (const { severity, code, evidence, cure } of byWorst(findings)) {
    const [first = '', ...more] = wrap(evidence, room)
    lines.push(`${paint(COLOURS[severity], severity.padEnd(9))}${code.padEnd(codes + 2)}${first}`)
    for (const line of more) lines.push(indent + line)
    if (cure === undefined || severity === 'ok') continue
    for (const line of wrap(`→ ${cure}`, room)) lines.push(indent + paint(DIM, line))
  }
  return `${lines.join('\n')}\n\n${tally(findings)}\n`
}

function summary({ main, redirects }: Observations): string {
  const { response, body, failure, watchedUntil } = main
  if (!response)
    return failure ? `no response: ${failure.code}` : `no response within ${duration(watchedUntil)}`
  const where =
    redirects.length > 0 ? `, after ${redirects.length} redirect${redirects.length === 1 ? '' : 's'}` : ''
  return `${response.status} over HTTP/${response.httpVersion}${where}; watched for ${duration(watchedUntil)}: ${body?.events ?? 0} events, ${body?.blockCount ?? 0} blocks, ${body?.bytes ?? 0} bytes`
}

function byWorst(findings: readonly Finding[]): Finding[] {
  const rank = ({ severity }: Finding): number => SEVERITIES.indexOf(severity)
  return [...findings].sort((a, b) => rank(b) - rank(a)) // stable: of one severity, as they were found
}

function tally(findings: readonly Finding[]): string {
  const counts = [...SEVERITIES].reverse().map((one) => {
    const n = findings.filter(({ severity }) => severity === one).length
    return `${n} ${one === 'ok' || one === 'info' || n === 1 ? one : `${one}s`}`
  })
  return counts.join(', ')
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}

/** The same for programs. Lists of single blocks are left out: they may be long, and their figures are in the findings. */
export function json(seen: Observations, findings: readonly Finding[], exitStatus: number): string {
  const { main, plain, resume, unknownId, hostileId, preflight, ...rest } = seen
  const observed = {
    ...rest,
    main: brief(main),
    plain: plain && brief(plain),
    resume: resume && { ...resume, exchange: brief(resume.exchange) },
    unknownId: unknownId && brief(unknownId),
    hostileId: hostileId && brief(hostileId),
    preflight: preflight && brief(preflight),
  }
  return `${JSON.stringify({ url: seen.url, exitStatus, findings, observed }, undefined, 2)}\n`
}

function brief({ body, ...exchange }: Exchange) {
  if (!body) return exchange
  const { blocks: _, ...figures } = body
  return { ...exchange, body: figures }
}

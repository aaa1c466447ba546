// The report for eyes: plain text that fits eighty columns and a terminal without colours.

import { duration, number, size } from './format.ts'
import type { Summary } from './histogram.ts'
import type { Report } from './report.ts'
import type { Spread } from './spread.ts'

const LABEL = 26
const CELL = 9
const BAR = 40
const WIDTH = 100

export function table(report: Report): string {
  const { connects, events, reconnects, churn, slow, options } = report
  const { statuses, failures } = connects
  const lines = [
    '',
    `${report.url} at ${report.address}${report.interrupted ? ' (ended early)' : ''}`,
    `${number(options.clients)} clients within ${duration(options.ramp)}, then ${duration(report.steady)}`,
    '',
    row('opened', `${number(connects.opened)} of ${number(connects.asked)}`),
    row('connects/s', `${number(connects.perSecond)} (asked: ${asked(options)})`),
    row('requests', number(connects.attempts)),
    row('statuses', tally(statuses)),
    ...optional(Object.keys(failures).length > 0, row('failures', tally(failures))),
    ...optional(connects.gaveUp > 0, row('gave up', number(connects.gaveUp))),
    ...optional(connects.wrongType > 0, row('  of another content type', number(connects.wrongType))),
    ...optional(connects.redirects > 0, row('redirects followed', number(connects.redirects))),
    ...optional(connects.redirectsRefused > 0, row('redirects refused', number(connects.redirectsRefused))),
    row('at the end', atEnd(connects)),
    '',
    row('events', `${number(events.total)} (${size(events.bytes)}, ${number(events.comments)} comments)`),
    row('events/s', number(events.perSecond)),
    ...optional(
      churn.left > 0,
      row('left by churn, came back', `${number(churn.left)}, ${number(churn.returned)}`),
    ),
    ...optional(slow.clients > 0, row('stopped reading', stopped(report))),
    '',
    row('', ['n', 'p50', 'p90', 'p99', 'p99.9', 'max'].map((name) => name.padStart(CELL)).join('')),
    times('connected', report.times.connect),
    times('headers', report.times.headers),
    times('first byte of the stream', report.times.firstByte),
    ...optional(options.timestamp !== null, times('latency of events', report.times.latency)),
    ...optional(report.times.away.n > 0, times('away, until open again', report.times.away)),
    ...optional(
      report.latency.replayed > 0,
      row(
        'events from before',
        `${number(report.latency.replayed)} (sent before the stream was asked for; not in the latency)`,
      ),
    ),
    '',
    row('disconnected', `${number(report.disconnects.total)} ${tally(report.disconnects.ends, true)}`),
    ...spread('by age', report.disconnects.age),
    ...spread('by silence', report.disconnects.silence),
    row(
      'reconnects',
      `${number(reconnects.attempts)}, ${number(reconnects.opened)} opened, at most ${number(reconnects.mostInOneSecond)} in a second`,
    ),
    row('with Last-Event-ID', `${number(reconnects.withLastEventId)} requests`),
    row('retry received', retry(reconnects)),
    ...idRows(report),
    '',
    row('load generator', generator(report)),
    '',
    ...report.findings.flatMap((finding) => wrap(finding, WIDTH)),
    '',
  ]
  return lines.map((line) => line.trimEnd()).join('\n')
}

function asked({ clients, ramp }: Report['options']): string {
  return ramp === 0 ? 'all at once' : number(clients / (ramp / 1_000))
}

function row(label: string, value: string): string {
  return label.padEnd(LABEL) + value
}

function optional(wanted: boolean, line: string): string[] {
  return wanted ? [line] : []
}

function tally(counts: Record<string, number>, brackets = false): string {
  const entries = Object.entries(counts).sort(([, a], [, b]) => b - a)
  if (entries.length === 0) return brackets ? '' : 'none'
  const text = entries.map(([key, count]) => `${key}: ${number(count)}`).join(', ')
  return brackets ? `(${text})` : text
}

function atEnd({ openAtEnd, awayAtEnd, unansweredAtEnd }: Report['connects']): string {
  return `${number(openAtEnd)} open, ${number(awayAtEnd)} waiting to reconnect, ${number(unansweredAtEnd)} without an answer`
}

function stopped({ slow }: Report): string {
  return `${number(slow.opened)} of ${number(slow.clients)}; the server let go of ${number(slow.letGo)}, ${size(slow.bytesReadOut)} read out at the end`
}

function times(label: string, { n, p50, p90, p99, p999, max }: Summary): string {
  const cells = [number(n), ...[p50, p90, p99, p999, max].map(duration)]
  return row(
    label,
    cells
      .map((cell) => cell.padStart(CELL))
      .join(' ')
      .slice(0, WIDTH),
  )
}

function retry({ retries, retry }: Report['reconnects']): string {
  if (!retry) return 'none; clients wait 3 s'
  const [least, greatest] = retry
  const range = least === greatest ? duration(least) : `${duration(least)} to ${duration(greatest)}`
  return `${number(retries)} times, ${range}`
}

function idRows({ ids }: Report): string[] {
  const { sequential, opaque, none, lives, duplicates, missedOpen, missedAway, gapsTold } = ids
  if (sequential === 0) {
    return [row('ids', opaque > 0 ? `${number(opaque)}, of a form that tells no order` : 'none')]
  }
  return [
    row(
      'ids in order',
      `${number(sequential)} (${number(none)} events without, ${number(opaque)} of another form, ${number(lives)} ${lives === 1 ? 'life' : 'lives'} of the log)`,
    ),
    row('duplicates', number(duplicates)),
    row('missed while away, open', `${number(missedAway)}, ${number(missedOpen)}`),
    row('gap events', number(gapsTold)),
  ]
}

function generator({ generator: { processes, cpuShare, loopDelayP99 } }: Report): string {
  const who = processes === 1 ? '1 process' : `${processes} processes, the busiest`
  return `${who}: ${Math.round(cpuShare * 100)} % of a core, event loop late by ${duration(loopDelayP99)} at p99`
}

/** Classes from the first to the last that anything fell into. */
function spread(label: string, { count, bounds, counts, min, median, max }: Spread): string[] {
  if (count === 0) return []
  const most = Math.max(...counts)
  const first = counts.findIndex((value) => value > 0)
  const last = counts.findLastIndex((value) => value > 0)
  const lines = [row(`  ${label}`, `${duration(min)} to ${duration(max)}, median ${duration(median)}`)]
  for (let index = first; index <= last; index += 1) {
    const value = counts[index] as number // index is within counts
    const bound = bounds[index]
    const name = bound === undefined ? `over ${duration(bounds.at(-1) ?? 0)}` : `to ${duration(bound)}`
    lines.push(row(`    ${name}`, `${'#'.repeat(Math.ceil((value / most) * BAR))} ${number(value)}`))
  }
  return lines
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = '-'
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > width) {
      lines.push(line)
      line = ' '
    }
    line += ` ${word}`
  }
  return [...lines, line]
}

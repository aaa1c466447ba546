// From what was counted to what is told: rates, percentiles, spreads, and findings in words.

import { arch, cpus, platform, release, totalmem } from 'node:os'
import type { Figures } from './figures.ts'
import { findings } from './findings.ts'
import type { Summary } from './histogram.ts'
import type { LoadOptions } from './options.ts'
import { type Spread, spreadOf } from './spread.ts'
import type { Target } from './target.ts'

/** Times are milliseconds, rates are per second, sizes are bytes. `null` is "not measured". */
export interface Report {
  tool: string
  at: string
  /** Without its query and credentials, which may be secrets. */
  url: string
  address: string
  options: {
    clients: number
    ramp: number
    duration: number
    slow: number
    churn: number
    fresh: boolean
    timestamp: string | null
    processes: number
    sources: number
  }
  machine: { cpu: string; cores: number; memoryBytes: number; kernel: string; node: string }
  /** Ended by Ctrl-C before its time. */
  interrupted: boolean
  /** How long it was measured after the ramp. */
  steady: number
  connects: {
    asked: number
    opened: number
    perSecond: number | null
    attempts: number
    statuses: Record<string, number>
    failures: Record<string, number>
    gaveUp: number
    wrongType: number
    redirects: number
    redirectsRefused: number
    openAtEnd: number
    unansweredAtEnd: number
    awayAtEnd: number
  }
  times: { connect: Summary; headers: Summary; firstByte: Summary; latency: Summary; away: Summary }
  events: { total: number; perSecond: number | null; bytes: number; comments: number }
  latency: { unstamped: number; replayed: number; fromFuture: number }
  disconnects: { total: number; ends: Record<string, number>; age: Spread; silence: Spread }
  reconnects: {
    attempts: number
    opened: number
    withLastEventId: number
    mostInOneSecond: number
    retries: number
    retry: [least: number, greatest: number] | null
  }
  churn: { left: number; returned: number }
  ids: {
    sequential: number
    opaque: number
    none: number
    lives: number
    duplicates: number
    /** Missed on an open stream, and between two streams. `null` when there were too many ids to tell. */
    missedOpen: number | null
    missedAway: number | null
    gapsTold: number
  }
  slow: { clients: number; opened: number; letGo: number; bytesReadOut: number }
  generator: { processes: number; cpuShare: number; loopDelayP99: number }
  findings: string[]
}

export interface Facts {
  options: LoadOptions
  target: Target
  processes: number
  sources: number
  at: Date
  interrupted: boolean
}

export function reportOf(figures: Figures, facts: Facts): Report {
  const { options, target } = facts
  const { counts, tallies, times } = figures
  const knownMisses = counts.missedUnknown === 0
  const report: Report = {
    tool: 'sluice bench/load',
    at: facts.at.toISOString(),
    url: `${options.url.origin}${options.url.pathname}`,
    address: target.address,
    options: {
      clients: options.clients,
      ramp: options.ramp,
      duration: options.duration,
      slow: options.slow,
      churn: options.churn,
      fresh: options.fresh,
      timestamp: options.timestamp ?? null,
      processes: facts.processes,
      sources: Math.max(facts.sources, 1),
    },
    machine: {
      cpu: cpus()[0]?.model.trim() || arch(),
      cores: cpus().length,
      memoryBytes: totalmem(),
      kernel: `${platform()} ${release()}`,
      node: process.version,
    },
    interrupted: facts.interrupted,
    steady: Math.round(figures.steady),
    connects: {
      asked: options.clients,
      opened: counts.opened,
      perSecond: connectRate(figures),
      attempts: counts.attempts,
      statuses: tallies.statuses,
      failures: tallies.failures,
      gaveUp: counts.gaveUp,
      wrongType: counts.wrongType,
      redirects: counts.redirects,
      redirectsRefused: counts.redirectsRefused,
      openAtEnd: counts.openAtEnd,
      unansweredAtEnd: counts.unansweredAtEnd,
      awayAtEnd: counts.awayAtEnd,
    },
    times: {
      connect: times.connect.summary(),
      headers: times.headers.summary(),
      firstByte: times.firstByte.summary(),
      latency: times.latency.summary(),
      away: times.away.summary(),
    },
    events: {
      total: counts.events,
      perSecond: figures.steady > 0 ? rounded(counts.steadyEvents / (figures.steady / 1_000)) : null,
      bytes: counts.bytes,
      comments: counts.comments,
    },
    latency: { unstamped: counts.unstamped, replayed: counts.replayed, fromFuture: counts.fromFuture },
    disconnects: {
      total: Object.values(tallies.ends).reduce((total, count) => total + count, 0),
      ends: tallies.ends,
      age: spreadOf(figures.ages),
      silence: spreadOf(figures.silences),
    },
    reconnects: {
      attempts: counts.reconnects,
      opened: counts.reopened,
      withLastEventId: counts.withLastEventId,
      mostInOneSecond: Math.max(0, ...Object.values(tallies.reconnectsBySecond)),
      retries: counts.retries,
      retry: figures.retry,
    },
    churn: { left: counts.left, returned: counts.returned },
    ids: {
      sequential: counts.sequential,
      opaque: counts.opaque,
      none: counts.none,
      lives: figures.lives,
      duplicates: counts.duplicates,
      missedOpen: knownMisses ? counts.missedOpen : null,
      missedAway: knownMisses ? counts.missedAway : null,
      gapsTold: counts.gapsTold,
    },
    slow: {
      clients: options.slow,
      opened: counts.slowOpened,
      letGo: counts.slowLetGo,
      bytesReadOut: counts.slowBytes,
    },
    generator: {
      processes: facts.processes,
      cpuShare: rounded(figures.cpuShare, 3),
      loopDelayP99: rounded(figures.loopDelayP99),
    },
    findings: [],
  }
  report.findings = findings(report)
  return report
}

/** Of the clients as they arrived: from the first start to the opening of the last. */
function connectRate({ counts, firstStart, lastOpened }: Figures): number | null {
  if (firstStart === null || lastOpened === null || lastOpened <= firstStart) return null
  return rounded(counts.opened / ((lastOpened - firstStart) / 1_000))
}

function rounded(value: number, digits = 1): number {
  const factor = 10 ** digits
  return Math.round(value * factor) / factor
}

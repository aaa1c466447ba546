// All rules in the order of a stream's life, and what they come to.

import { type Finding, info, type Rule, SEVERITIES, type Severity } from './finding.ts'
import type { Observations } from './observations.ts'
import { buffering, compression, firstByte, headersLate, heartbeat } from './rules/arrival.ts'
import { concurrency, versions } from './rules/connections.ts'
import { ending } from './rules/ending.ts'
import { format } from './rules/format.ts'
import { caching, connection, contentType, framing, redirects, response, status } from './rules/opening.ts'
import { cors } from './rules/origins.ts'
import { hostileIds, ids, resuming, retry } from './rules/returning.ts'
import { duration } from './text.ts'

const interrupted: Rule = (seen) =>
  seen.interrupted ? [info('interrupted', `Ended after ${duration(seen.main.watchedUntil)}.`)] : []

const RULES: readonly Rule[] = [
  connection,
  response,
  redirects,
  status,
  contentType,
  caching,
  framing,
  versions,
  headersLate,
  firstByte,
  buffering,
  compression,
  heartbeat,
  ending,
  ids,
  resuming,
  hostileIds,
  retry,
  format,
  cors,
  concurrency,
  interrupted,
]

export function diagnose(seen: Observations): Finding[] {
  return RULES.flatMap((rule) => rule(seen))
}

export function worst(findings: readonly Finding[]): Severity {
  const rank = Math.max(0, ...findings.map(({ severity }) => SEVERITIES.indexOf(severity)))
  return SEVERITIES[rank] ?? 'ok'
}

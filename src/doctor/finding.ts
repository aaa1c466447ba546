// What a rule says.

import { FINDING_CODES, type FindingCode } from './codes.ts'
import type { Observations } from './observations.ts'

export const SEVERITIES = ['ok', 'info', 'warning', 'error'] as const
export type Severity = (typeof SEVERITIES)[number]

export interface Finding {
  readonly code: FindingCode
  readonly severity: Severity
  /** The figures seen. */
  readonly evidence: string
  /** What to do; absent where all is well. */
  readonly cure?: string
}

/** From what was seen to what it means: pure, and silent where it cannot tell. */
export type Rule = (seen: Observations) => Finding[]

export function ok(code: FindingCode, evidence: string): Finding {
  return { code, severity: 'ok', evidence }
}

export function info(code: FindingCode, evidence: string): Finding {
  return { code, severity: 'info', evidence, cure: FINDING_CODES[code].cure }
}

export function warning(code: FindingCode, evidence: string): Finding {
  return { code, severity: 'warning', evidence, cure: FINDING_CODES[code].cure }
}

export function error(code: FindingCode, evidence: string): Finding {
  return { code, severity: 'error', evidence, cure: FINDING_CODES[code].cure }
}

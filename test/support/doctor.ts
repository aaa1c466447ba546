// The doctor at work on a real server, and what a test asks of its findings.

import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { TestContext } from 'node:test'
import type { FindingCode } from '../../src/doctor/codes.ts'
import { type Finding, SEVERITIES, type Severity } from '../../src/doctor/finding.ts'
import type { Observations } from '../../src/doctor/observations.ts'
import { readOptions } from '../../src/doctor/options.ts'
import { probe } from '../../src/doctor/probe.ts'
import { diagnose } from '../../src/doctor/rules.ts'
import { listen } from './server.ts'

type Cleanup = Pick<TestContext, 'after'>

export interface Examined {
  seen: Observations
  findings: Finding[]
  /** The finding of that code, the worst if there are several. */
  of(code: FindingCode): Finding | undefined
  /** Fails unless there is such a finding, of that severity, whose evidence matches. */
  says(code: FindingCode, severity: Severity, evidence?: RegExp): void
  /** Fails if there is one worse than `ok`. */
  silent(...codes: FindingCode[]): void
  /** Codes of what is worse than an info. */
  faults: FindingCode[]
}

/** Runs the doctor with a command line's arguments. */
export async function examine(...argv: string[]): Promise<Examined> {
  const options = readOptions(argv)
  assert.ok(options !== 'help')
  const seen = await probe(options, new AbortController().signal)
  return judged(seen)
}

export function judged(seen: Observations): Examined {
  const findings = diagnose(seen)
  const rank = ({ severity }: Finding): number => SEVERITIES.indexOf(severity)
  const of = (code: FindingCode): Finding | undefined =>
    findings.filter((one) => one.code === code).sort((a, b) => rank(b) - rank(a))[0]
  const all = (): string => JSON.stringify(findings, undefined, 1)
  return {
    seen,
    findings,
    of,
    says(code, severity, evidence = /./) {
      const one = findings.find((finding) => finding.code === code && finding.severity === severity)
      assert.ok(one, `no ${severity} ${code} in ${all()}`)
      assert.match(one.evidence, evidence)
      if (severity !== 'ok') assert.ok(one.cure)
    },
    silent(...codes) {
      for (const code of codes)
        assert.ok(['ok', undefined].includes(of(code)?.severity), `${code} in ${all()}`)
    },
    faults: findings.filter((one) => rank(one) >= 2).map(({ code }) => code),
  }
}

/** A plain node:http server, with whatever mistake the handler makes. */
export async function mistaken(
  t: Cleanup,
  handler: (req: IncomingMessage, res: ServerResponse) => void,
): Promise<{ url: string; port: number }> {
  const server = createServer(handler)
  const port = await listen(server)
  t.after(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${port}/`, port }
}

/** What a stream should say in its headers. */
export const STREAM = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-store, no-transform',
}

/** Writes something every `ms` until the response is gone, beginning with `first` at once. */
export function drip(res: ServerResponse, ms: number, next: (n: number) => string, first?: string): void {
  if (first !== undefined) res.write(first)
  let n = 0
  const timer = setInterval(() => {
    n += 1
    res.write(next(n))
  }, ms)
  res.on('close', () => clearInterval(timer))
}

/** An event with an id, a time of its own, and some weight. */
export function weighty(n: number, bytes = 200): string {
  return `id: ${n}\ndata: {"n":${n},"at":${Date.now()},"padding":"${'x'.repeat(bytes)}"}\n\n`
}

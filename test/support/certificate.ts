// A certificate that nobody trusts, made for a test.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram } from './need.ts'

export const openssl = findProgram('openssl')

export function makeCertificate(): { key: Buffer; cert: Buffer } {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-tls-'))
  try {
    execFileSync(
      openssl as string, // the test is skipped without it
      'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -keyout key.pem -out cert.pem'.split(
        ' ',
      ),
      { cwd: folder, stdio: 'ignore' },
    )
    return { key: readFileSync(join(folder, 'key.pem')), cert: readFileSync(join(folder, 'cert.pem')) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

// Real HAProxy in front of a server, with the lines of configuration that a test asks for.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { findProgram } from './need.ts'
import { accepts, freePort } from './nginx.ts'

export const haproxy = findProgram('haproxy')

/** @returns the port that it listens on; it goes away with its test */
export async function haproxyProxy(
  t: Pick<TestContext, 'after'>,
  upstream: number,
  directives: string,
): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-haproxy-'))
  const port = await freePort()
  const file = join(folder, 'haproxy.cfg')
  writeFileSync(
    file,
    `global
  maxconn 256
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:${port}
  default_backend back
backend back
  server one 127.0.0.1:${upstream}
  ${directives.replaceAll('\n', '\n  ')}
`,
  )
  const child: ChildProcess = spawn(haproxy as string, ['-db', '-q', '-f', file], { stdio: 'ignore' })
  t.after(async () => {
    if (child.exitCode === null) {
      const exited = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await exited
    }
    rmSync(folder, { recursive: true, force: true })
  })
  await accepts(port)
  return port
}

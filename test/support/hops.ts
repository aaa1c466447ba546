// Real Varnish and Apache in front of a server, with their own defaults and no more configuration than they need to start.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { findProgram } from './need.ts'
import { accepts, freePort } from './nginx.ts'

export const varnishd = findProgram('varnishd')
export const apache = findProgram('apache2', 'httpd')

type Hooks = Pick<TestContext, 'after'>

/** Starts it in a group of its own, so that what it forks ends with it. */
async function run(t: Hooks, folder: string, port: number, command: string, args: string[]): Promise<void> {
  const child: ChildProcess = spawn(command, args, { detached: true, stdio: 'ignore' })
  t.after(async () => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const exited = new Promise((resolve) => child.once('exit', resolve))
      process.kill(-child.pid, 'SIGKILL')
      await exited
    }
    rmSync(folder, { recursive: true, force: true })
  })
  await accepts(port)
}

/** @returns its port */
export async function varnishProxy(t: Hooks, upstream: number, subroutines = ''): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-varnish-'))
  const port = await freePort()
  const vcl = join(folder, 'default.vcl')
  writeFileSync(
    vcl,
    `vcl 4.1;\nbackend default { .host = "127.0.0.1"; .port = "${upstream}"; }\n${subroutines}\n`,
  )
  const args = [
    '-F',
    '-j',
    'none',
    '-n',
    join(folder, 'work'),
    '-a',
    `127.0.0.1:${port}`,
    '-f',
    vcl,
    '-s',
    'malloc,16M',
  ]
  await run(t, folder, port, varnishd as string, args) // asked with need()
  return port
}

/** @returns its port */
export async function apacheProxy(t: Hooks, upstream: number, directives = ''): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-apache-'))
  const port = await freePort()
  mkdirSync(join(folder, 'run'))
  const modules = ['mpm_event', 'authz_core', 'proxy', 'proxy_http'].map(
    (name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`,
  )
  writeFileSync(
    join(folder, 'httpd.conf'),
    `ServerRoot ${folder}
ServerName localhost
DefaultRuntimeDir ${folder}/run
PidFile ${folder}/pid
ErrorLog ${folder}/error.log
Listen 127.0.0.1:${port}
${modules.join('\n')}
${process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : ''}
ProxyPass / http://127.0.0.1:${upstream}/
${directives}
`,
  )
  await run(t, folder, port, apache as string, ['-DFOREGROUND', '-f', join(folder, 'httpd.conf')]) // asked with need()
  return port
}

// Network namespaces of a test's own: Linux, and root.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import type { TestContext } from 'node:test'
import { findProgram } from './need.ts'

export function canMakeNamespaces(): boolean {
  const ip = findProgram('ip')
  if (!ip || process.platform !== 'linux') return false
  const name = `sluice-probe-${process.pid}`
  try {
    execFileSync(ip, ['netns', 'add', name], { stdio: 'ignore' })
    execFileSync(ip, ['netns', 'del', name], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

export interface Link {
  /** The address of this end. */
  readonly here: string
  /** Runs a command at the far end. */
  spawn(command: string, ...args: string[]): ChildProcess
  /** Cuts the cable, from the far end: this side keeps its link and its route, and hears nothing. */
  cut(): void
}

let links = 0

/** A link to a namespace that goes away with its test. */
export function makeLink(t: Pick<TestContext, 'after'>): Link {
  const ip = findProgram('ip') as string // the test is skipped without it
  const run = (...args: string[]): void => {
    execFileSync(ip, args, { stdio: 'pipe' })
  }
  links += 1
  const name = `sluice-${process.pid}-${links}`
  const [here, there] = ['a', 'b'].map((end) => `s${process.pid}${links}${end}`.slice(-15)) as [
    string,
    string,
  ]
  // A corner of the range for benchmarks (RFC 2544), so that it meets no network of this machine.
  const net = `198.18.${(process.pid + links) % 250}`
  run('netns', 'add', name)
  t.after(() => run('netns', 'del', name))
  run('link', 'add', here, 'type', 'veth', 'peer', 'name', there, 'netns', name)
  run('addr', 'add', `${net}.1/24`, 'dev', here)
  run('link', 'set', here, 'up')
  run('-n', name, 'addr', 'add', `${net}.2/24`, 'dev', there)
  run('-n', name, 'link', 'set', there, 'up')
  return {
    here: `${net}.1`,
    spawn: (command, ...args) => {
      const child = spawn(ip, ['netns', 'exec', name, command, ...args])
      t.after(() => void child.kill('SIGKILL'))
      return child
    },
    cut: () => run('-n', name, 'link', 'set', there, 'down'),
  }
}

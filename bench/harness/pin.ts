// Which core runs what: the server on the first, the load on the second, so that neither measures the other.

import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'

export type Role = 'server' | 'load'

const CORES: Record<Role, string> = { server: '0', load: '1' }

let found: boolean | undefined

/** Whether processes can be pinned here: Linux with taskset and two cores. */
export function canPin(): boolean {
  if (found === undefined) {
    try {
      execFileSync('taskset', ['-c', '0,1', 'true'], { stdio: 'ignore' })
      found = cpus().length > 1
    } catch {
      found = false
    }
  }
  return found
}

/** The command line that runs `command` where its role belongs. */
export function pinned(role: Role, command: readonly [string, ...string[]]): [string, ...string[]] {
  return canPin() ? ['taskset', '-c', CORES[role], ...command] : [...command]
}

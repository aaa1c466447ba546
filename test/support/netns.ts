// Network namespaces of a test's own: Linux, and root.

import { execFileSync } from 'node:child_process'
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

// What a test needs beyond Node: found on this machine, or the test is skipped in a visible line; in CI, where
// everything is installed, a missing part is a failure.

import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The path of a program, if it is on PATH (or in sbin, where servers live). */
export function findProgram(...names: string[]): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  for (const name of names) {
    for (const folder of folders) {
      const path = join(folder, name)
      try {
        accessSync(path, constants.X_OK)
        return path
      } catch {}
    }
  }
  return undefined
}

export function findChromium(): string | undefined {
  return findProgram('chromium', 'chromium-browser', 'google-chrome')
}

/** Options for a test that needs `found`. Throws in CI when it is missing. */
export function need(name: string, found: unknown): { skip?: string } {
  if (found) return {}
  if (process.env.CI) throw new Error(`CI has no ${name}: .ci/run must install it`)
  return { skip: `needs ${name}, which is not installed here` }
}

// What was measured on, and with which versions: figures mean nothing without it.

import { readFileSync } from 'node:fs'
import { cpus, release, type as system, totalmem } from 'node:os'

export interface Machine {
  cpu: string
  cores: number
  memoryBytes: number
  kernel: string
  node: string
}

export function machine(): Machine {
  const [first] = cpus()
  return {
    cpu: first?.model.trim() || 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    kernel: `${system()} ${release()}`,
    node: process.version,
  }
}

/** The versions of Sluice and of all that bench/package.json pins. */
export function versions(): Record<string, string> {
  const { dependencies } = readPackage('./package.json')
  const found: Record<string, string> = { node: process.version, sluice: version('../package.json') }
  for (const name of Object.keys(dependencies ?? {})) {
    const installed = version(`./node_modules/${name}/package.json`)
    if (installed !== '') found[name] = installed
  }
  return found
}

function version(path: string): string {
  try {
    return readPackage(path).version ?? ''
  } catch {
    return ''
  }
}

function readPackage(path: string): { version?: string; dependencies?: Record<string, string> } {
  return JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'))
}

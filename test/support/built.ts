// The library as it is published, for what cannot run its sources: built once per process, into a folder that goes away.

import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
let folder: string | undefined

/** A folder with the build in `sluice/` and the programs of test/support/programs/runtimes beside it. */
export function built(): string {
  if (folder) return folder
  // Inside the project, so that what the programs import is found.
  const cache = join(root, 'node_modules/.cache')
  mkdirSync(cache, { recursive: true })
  const made = mkdtempSync(join(cache, 'sluice-'))
  process.once('exit', () => rmSync(made, { recursive: true, force: true }))
  execFileSync(process.execPath, [
    join(root, 'node_modules/typescript/bin/tsc'),
    '-p',
    join(root, 'tsconfig.build.json'),
    '--outDir',
    join(made, 'sluice'),
  ])
  cpSync(join(root, 'test/support/programs/runtimes'), made, { recursive: true })
  writeFileSync(join(made, 'package.json'), '{ "type": "module" }\n')
  folder = made
  return made
}

/** Every module that `entry` imports, itself included, by its path below `from`; and every import that is no file. */
export function graph(from: string, entry: string): { files: string[]; foreign: string[] } {
  const files = new Set<string>()
  const foreign = new Set<string>()
  const visit = (file: string): void => {
    if (files.has(file)) return
    files.add(file)
    const text = readFileSync(file, 'utf8')
    for (const [, fixed, dynamic] of text.matchAll(
      /^(?:import|export)\s(?:[^'";]*\sfrom\s)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm,
    )) {
      const target = fixed ?? dynamic ?? ''
      if (target.startsWith('.')) visit(join(dirname(file), target))
      else foreign.add(target)
    }
  }
  visit(join(from, entry))
  return { files: [...files].map((file) => relative(from, file)).sort(), foreign: [...foreign] }
}

// Runs the tests: all of them, or those whose path holds one of the words given. One process per file, two at a time.
//
//   npm test              everything
//   npm test -- log seam  the files with "log" or "seam" in their path

import { readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { run } from 'node:test'
import { spec as Spec } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('.', import.meta.url))
const words = process.argv.slice(2)

const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts'))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .map((file) => join(root, file))
  .sort()

if (files.length === 0) {
  console.error(`no test file in ${relative(process.cwd(), root) || '.'} matches ${words.join(', ')}`)
  process.exit(1)
}

const stream = run({ files, concurrency: 2, timeout: 300_000 })
const skipped: string[] = []
stream.on('test:fail', () => {
  process.exitCode = 1
})
stream.on('test:pass', ({ name, skip }) => {
  if (skip !== undefined) skipped.push(`${name}: ${skip}`)
})
stream.on('end', () => {
  for (const line of skipped) console.log(`SKIPPED ${line}`)
})
stream.compose(new Spec()).pipe(process.stdout)

// What the client's door pulls in: it must run where there is no Node.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

test('nothing in the graph of sluice/client imports from node:, nor anything of the server that runs', () => {
  const seen = new Set<string>()
  const visit = (file: string): void => {
    if (seen.has(file)) return
    seen.add(file)
    // Types are gone when it runs.
    for (const [, types, target = ''] of readFileSync(file, 'utf8').matchAll(
      /^(?:import|export)( type)? [^;]*?from '([^']+)'/gm,
    )) {
      assert.ok(target.startsWith('.'), `${file} imports ${target}`)
      if (!types) visit(join(dirname(file), target))
    }
  }
  visit(join(root, 'src/client.ts'))
  const files = [...seen].map((file) => relative(join(root, 'src'), file)).sort()
  assert.deepEqual(
    files.filter((file) => !file.startsWith('client')),
    ['core/check.ts', 'core/clock.ts', 'core/deque.ts', 'core/errors.ts', 'core/event-stream/decode.ts'],
  )
  for (const file of files)
    assert.doesNotMatch(read(join('src', file)), /\b(?:Buffer|process)\b\s*[.[(]/, file)
})

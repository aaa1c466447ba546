// What docs/client.md promises, held against the code.

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { CLIENT_DEFAULTS, KNOWN_OPTIONS } from '../../src/client/options.ts'
import { ERROR_CODES } from '../../src/core/errors.ts'

const file = fileURLToPath(new URL('../../docs/client.md', import.meta.url))
const text = readFileSync(file, 'utf8')

/** The rows of the table under a heading, by their first cell. */
function table(heading: string): Map<string, string> {
  const rows = (text.split(`## ${heading}`)[1] ?? '')
    .split('\n## ')[0]
    ?.matchAll(/^\| `([^|]+)` +\| ([^|]+) \|/gm)
  return new Map([...(rows ?? [])].map(([, name = '', value = '']) => [name, value.trim()]))
}

test('every option is listed, with its default', () => {
  const listed = table('Options')
  const names = [...new Set([...listed.keys()].map((name) => name.replace(/\..*/, '')))]
  assert.deepEqual(names.sort(), [...KNOWN_OPTIONS].sort())
  for (const [name, value] of Object.entries(CLIENT_DEFAULTS)) {
    const option = name.replace(/^backoff(.)/, (_, first: string) => `backoff.${first.toLowerCase()}`)
    assert.equal(listed.get(option), String(value), option)
  }
})

test('every code that is told exists', () => {
  for (const [code] of text.matchAll(/SLUICE_[A-Z_]+/g)) assert.ok(Object.hasOwn(ERROR_CODES, code), code)
})

test('the document links to what exists', () => {
  for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)#]+)/g)) {
    assert.ok(existsSync(join(dirname(file), target)), target)
  }
})

// docs/doctor.md, held against the code.

import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { FINDING_CODES } from '../../src/doctor/codes.ts'
import { DOCTOR_USAGE } from '../../src/doctor/options.ts'
import { MAX_BODY_BYTES } from '../../src/doctor/stream-watch.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(join(root, 'docs/doctor.md'), 'utf8')

test('the page lists every finding code with its meaning and cure, and no other', () => {
  const lines = (page.split('## Findings')[1] ?? '').split('\n').filter((line) => line.startsWith('| `'))
  const listed = lines.map((line) =>
    line
      .slice(1, -1)
      .split(' | ')
      .map((cell) => cell.trim()),
  )
  const told = Object.entries(FINDING_CODES).map(([code, { means, cure }]) => [`\`${code}\``, means, cure])
  assert.deepEqual(listed, told)
})

test('every code is said by some rule, and every rule says what is in the table', () => {
  const folder = join(root, 'src/doctor')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && file !== 'codes.ts',
  )
  const text = files.map((file) => readFileSync(join(folder, file), 'utf8')).join('\n')
  for (const code of Object.keys(FINDING_CODES))
    assert.ok(text.includes(`'${code}'`), `${code} is never said`)
})

test('the page has every option of the usage, and its bounds', () => {
  const options = [...DOCTOR_USAGE.matchAll(/^ {2}(--[\w-]+)/gm)].map(([, option]) => option)
  assert.ok(options.length >= 8)
  for (const option of options) assert.ok(page.includes(`\`${option}`), option)
  assert.ok(page.includes(`${MAX_BODY_BYTES / 1_048_576} MiB of a body`))
  for (const [, target = ''] of page.matchAll(/\]\((?!https?:)([^)#]+)/g)) {
    assert.ok(existsSync(join(root, dirname('docs/doctor.md'), target)), target)
  }
})

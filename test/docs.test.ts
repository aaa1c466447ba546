// What the documents promise, held against the code.

import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { CHANNEL_DEFAULTS } from '../src/core/channel.ts'
import { CLOSE_REASONS } from '../src/core/close.ts'
import { FINDINGS } from '../src/core/diagnosis.ts'
import { ERROR_CODES } from '../src/core/errors.ts'
import { Hub } from '../src/core/hub.ts'
import { HUB_DEFAULTS } from '../src/core/hub-options.ts'
import { FINDING_CODES } from '../src/doctor/codes.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

/** The rows of the first table under a heading, by their first cell. */
function table(file: string, heading?: string): Map<string, string[]> {
  const text = heading ? (read(file).split(`## ${heading}`)[1] ?? '') : read(file)
  const lines = text.split('\n')
  const start = lines.findIndex((line) => line.startsWith('| ---'))
  const rows = new Map<string, string[]>()
  for (const line of lines.slice(start + 1)) {
    if (!line.startsWith('|')) break
    const [name = '', ...cells] = line
      .slice(1, -1)
      .split(' | ')
      .map((cell) => cell.trim().replaceAll('`', ''))
    rows.set(name, cells)
  }
  return rows
}

test('docs/errors.md lists every code with its rule, and no other', () => {
  const listed = [...table('docs/errors.md')].map(([code, [rule]]) => [code, rule])
  assert.deepEqual(listed, Object.entries(ERROR_CODES))
})

test('every code is thrown somewhere', () => {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  const sources = files.filter((file) => file.endsWith('.ts') && !file.endsWith('errors.ts'))
  const text = sources.map((file) => read(join('src', file))).join('\n')
  for (const code of Object.keys(ERROR_CODES)) assert.ok(text.includes(`'${code}'`), `${code} is never used`)
})

test('docs/reference.md tells the defaults as they are', () => {
  const hub = table('docs/reference.md', 'createHub')
  for (const [name, value] of Object.entries(HUB_DEFAULTS))
    assert.equal(hub.get(name)?.[0], String(value), name)
  const channel = table('docs/reference.md', 'hub.channel')
  for (const [name, value] of Object.entries(CHANNEL_DEFAULTS))
    assert.equal(channel.get(name)?.[0], String(value), name)
})

test('docs/guide.md explains every close reason', () => {
  assert.deepEqual([...table('docs/guide.md').keys()], Object.keys(CLOSE_REASONS))
})

test('docs/diagnosis.md lists every finding with its severity and title, and explains it with a cure', () => {
  const listed = [...table('docs/diagnosis.md', 'The findings')]
  assert.deepEqual(
    listed.map(([code, [severity, title]]) => [code, [severity, title]]),
    Object.entries(FINDINGS),
  )
  const text = read('docs/diagnosis.md')
  for (const code of Object.keys(FINDINGS)) {
    const section = text.split(`\n### ${code}\n`)[1]?.split('\n##')[0] ?? ''
    assert.match(section, /\*\*Cure:\*\*/, code)
  }
})

test('the documents link to what exists', () => {
  for (const file of [
    'README.md',
    'docs/guide.md',
    'docs/reference.md',
    'docs/errors.md',
    'docs/diagnosis.md',
    'docs/decisions.md',
    'docs/disconnects.md',
    'docs/doctor.md',
    'docs/client.md',
    'docs/web.md',
    'docs/frameworks.md',
    'docs/scaling.md',
    'docs/reliability.md',
    'SECURITY.md',
    'docs/benchmarks.md',
    'bench/README.md',
  ]) {
    for (const [, target = ''] of read(file).matchAll(/\]\((?!https?:)([^)#]+)/g)) {
      assert.ok(existsSync(join(root, dirname(file), target)), `${file} links to ${target}`)
    }
  }
})

test('docs/disconnects.md explains every close reason, and names only what exists', () => {
  const text = read('docs/disconnects.md')
  assert.deepEqual([...table('docs/disconnects.md').keys()], Object.keys(CLOSE_REASONS))
  // Findings are named after the words that introduce them.
  const named = (words: string): string[] =>
    [...text.matchAll(new RegExp(`${words}: ((?:\\x60[\\w-]+\\x60(?:, )?)+)`, 'g'))].flatMap(
      ([, list = '']) => list.split(', ').map((code) => code.replaceAll('`', '')),
    )
  const diagnosed = named('`hub\\.diagnose\\(\\)`')
  assert.ok(diagnosed.length >= 4)
  for (const code of diagnosed) assert.ok(Object.hasOwn(FINDINGS, code), `diagnose has no ${code}`)
  const probed = named('[Dd]octor')
  assert.ok(probed.length >= 8)
  for (const code of probed) assert.ok(Object.hasOwn(FINDING_CODES, code), `the doctor has no ${code}`)
  const options = /createHub\(\{ (\w+)/g
  for (const [, option = ''] of text.matchAll(options)) {
    assert.doesNotThrow(() => new Hub({ [option]: 50_000 }), option)
  }
  const headings = [...text.matchAll(/^## (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  )
  for (const [, anchor = ''] of text.matchAll(/\]\(#([^)]+)\)/g)) assert.ok(headings.includes(anchor), anchor)
})

test('the core imports nothing of Node, and imports point down', () => {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  )
  for (const file of files) {
    for (const [, target = ''] of read(join('src', file)).matchAll(/from '([^']+)'/g)) {
      if (file.startsWith('core')) {
        assert.ok(!target.startsWith('node:'), `${file} imports ${target}`)
        assert.ok(
          !target.includes('sinks/') && !/^\.\.\/(\.\.\/)?(index|event-stream)\.ts/.test(target),
          `${file} imports ${target}`,
        )
      }
      if (file.startsWith(join('core', 'event-stream'))) {
        // The codec stands alone but for the errors and the questions to options.
        assert.match(target, /^\.\/|^\.\.\/(errors|check)\.ts$/, `${file} imports ${target}`)
      }
      assert.ok(target.startsWith('.') || target.startsWith('node:'), `${file} depends on ${target}`)
    }
  }
})

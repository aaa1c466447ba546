// The checker is what every scenario believes: it must see each way in which a stream can be wrong, and nothing else.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Block, Witness } from './checker.ts'
import { dataOf, numberOf } from './events.ts'
import { withFigures } from './page.ts'
import { type Outcome, PROMISES, Report } from './scenario.ts'

const EPOCH = 'k3k3k3k3k3'

function event(n: number, id = `${EPOCH}-${n}`, data = dataOf(n, 40)): Block {
  return { event: 'message', data, id, comments: 0 }
}

function gap(requested: number, oldest: number, newest: number, id?: number): Block {
  const [from, first, last] = [requested, oldest, newest].map((n) => `${EPOCH}-${n}`)
  const data = JSON.stringify({
    reason: 'evicted',
    channel: 'a',
    requested: from,
    oldest: first,
    newest: last,
  })
  return { event: 'gap', data, id: id === undefined ? undefined : `${EPOCH}-${id}`, comments: 0 }
}

/** What a client that starts live at position 3 makes of these blocks. */
function judge(...blocks: Block[]): Report {
  const report = new Report(1, false)
  const witness = new Witness(report, 'client')
  witness.opened('none')
  witness.saw({ event: 'message', data: undefined, id: `${EPOCH}-3`, comments: 1 })
  for (const block of blocks) witness.saw(block)
  return report
}

test('a stream in order, with a gap that is told, is as promised', () => {
  const report = judge(event(4), event(5), gap(5, 9, 12), event(9), event(10))
  assert.deepEqual(report.broken, [])
  assert.deepEqual(report.figures, {
    cases: 0,
    faults: 0,
    sent: 0,
    received: 4,
    told: 3,
    lost: 0,
    doubled: 0,
  })
})

test('every way of being wrong is seen', () => {
  const wrong: Record<string, [blocks: Block[], says: RegExp]> = {
    'a hole': [[event(4), event(6)], /no word of those between/],
    'a hole in front of the first': [[event(5)], /got 5 after 3/],
    twice: [[event(4), event(4)], /got 4 after 4/],
    'out of order': [[event(4), event(5), event(4)], /got 4 after 5/],
    'another id': [[event(4, `${EPOCH}-5`)], /under the id/],
    'another epoch': [[event(4), event(5, 'zzzzzzzzzz-5')], /without a gap/],
    'no id': [[{ ...event(4), id: undefined }], /broken event/],
    'a part': [[event(4, undefined, dataOf(4, 40).slice(0, -1))], /broken event/],
    'a gap that says too little': [[event(4), gap(4, 8, 9), event(9)], /no word/],
    'a gap that says too much': [[event(4), gap(4, 8, 9), event(7)], /got 7 after 7/],
    'a gap after another place': [[event(4), gap(3, 8, 9)], /a gap after/],
    'two gaps in a row': [[event(4), gap(4, 8, 9), gap(7, 9, 10)], /two gaps/],
    'a move without a word': [
      [event(4), { ...event(0), data: undefined, id: `${EPOCH}-9` }],
      /without a word/,
    ],
  }
  for (const [name, [blocks, says]] of Object.entries(wrong)) {
    assert.match(judge(...blocks).broken.join('\n'), says, name)
  }
  const report = judge(event(4))
  const witness = new Witness(report, 'another')
  witness.opened('none')
  witness.finish(2)
  assert.match(report.broken.join(), /never got 1 to 2/)
  assert.equal(report.figures.lost, 2)
})

test('a client that comes back is followed over its connections', () => {
  const report = new Report(1, false)
  const witness = new Witness(report, 'client')
  witness.opened('none')
  witness.saw(event(1))
  witness.opened('full')
  witness.saw(event(2))
  witness.opened('gap')
  // On it goes live, from the id of the gap.
  witness.saw(gap(2, 5, 9, 9))
  witness.saw(event(10))
  assert.deepEqual(report.broken, [])
  assert.equal(report.figures.told, 7)
  witness.opened('none')
  assert.match(report.broken.join(), /Sluice-Resume is none/)
})

test('an event cannot pass in part, nor two as one', () => {
  for (let n = 1; n < 300; n += 1) {
    const data = dataOf(n, 100)
    assert.equal(numberOf(data), n)
    for (let cut = 0; cut < data.length; cut += 1) assert.equal(numberOf(data.slice(0, cut)), undefined)
    assert.equal(numberOf(data + dataOf(n + 1, 100)), undefined)
  }
})

test('docs/reliability.md names every promise and every scenario', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/reliability.md'), 'utf8')
  for (const promise of Object.values(PROMISES)) assert.ok(page.includes(`### ${promise}`), promise)
  for (const file of readdirSync(join(import.meta.dirname, 'scenarios'))) {
    assert.ok(
      page.includes(`#### ${file.slice(0, -3)}\n`),
      `${file} is not on the page: run test/faults/page.ts`,
    )
  }
})

test('the figures stand between their markers, and can be written anew', () => {
  const outcome: Outcome = {
    name: 'some-scenario',
    promises: ['order'],
    attacks: 'Something.',
    seed: 1,
    seconds: 2,
    figures: { cases: 1_000, faults: 2, sent: 3, received: 4, told: 5, lost: 6, doubled: 7 },
    notes: { milliseconds: 1_234.5 },
    broken: [],
    without: [],
  }
  const run = { node: 'v20.0.0', platform: 'linux', long: false, seed: 1, seconds: 2, outcomes: [outcome] }
  const once = withFigures('before\n<!-- figures: x -->\n<!-- end of figures -->\nafter\n', run)
  assert.match(once, /^before\n<!-- figures: x -->\n/)
  assert.match(once, /\| 1,000 \| 2 \| 3 \| 4 \| 5 \| 6 \| 7 \|/)
  assert.match(once, /milliseconds: 1,234.5; 2.0 s\./)
  assert.ok(once.endsWith('<!-- end of figures -->\nafter\n'))
  assert.equal(withFigures(once, run), once)
})

// The parts below the rules: what is seen in a body, where to resume from, times in events, text for people, options.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StreamSeen } from '../../src/doctor/observations.ts'
import { DOCTOR_USAGE, Refusal, readOptions } from '../../src/doctor/options.ts'
import { json, table } from '../../src/doctor/report.ts'
import { planResume } from '../../src/doctor/resume-plan.ts'
import { diagnose } from '../../src/doctor/rules.ts'
import { findStamp } from '../../src/doctor/stamps.ts'
import { MAX_BLOCKS, MAX_BODY_BYTES, StreamWatch } from '../../src/doctor/stream-watch.ts'
import { duration, median, quoted, size } from '../../src/doctor/text.ts'
import { aBlock, aBody, observed } from '../support/observed.ts'

const NO_WIRE = { wireBytes: 0, firstWireByteAt: undefined, lastWireByteAt: undefined }

function watched(text: string | Uint8Array, by = Number.POSITIVE_INFINITY): StreamSeen {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text
  const watch = new StreamWatch()
  for (let from = 0; from < bytes.length; from += by) watch.write(bytes.subarray(from, from + by), from)
  return watch.seen(NO_WIRE)
}

test('a body is seen alike whole and byte by byte', () => {
  const text =
    '\ufeffretry: 3000\r\n\r\n: hello\r\n\r\nid: 1\rdata: a\r\rid:2\ndata: b\ndata: c\n\nevent: ping\ndata\n\nevent: x\n\nfoo: 1\nid: a\0\n\n\n\nid\ndata: é\n\ndata: un'
  const whole = watched(text)
  const timeless = (seen: StreamSeen) => ({
    ...seen,
    firstByteAt: 0,
    blocks: seen.blocks.map((one) => ({ ...one, at: 0, begunAt: 0 })),
  })
  assert.deepEqual(timeless(watched(text, 1)), timeless(whole))
  assert.deepEqual(timeless(watched(text, 7)), timeless(whole))
  assert.equal(whole.bom, true)
  assert.deepEqual(whole.lineEnds, { lf: 17, crlf: 4, cr: 3 })
  assert.deepEqual(whole.retries, ['3000'])
  assert.equal(whole.events, 4)
  assert.equal(whole.datalessEvents, 1)
  assert.deepEqual(whole.unknownFields, ['foo'])
  assert.equal(whole.nulIds, 1)
  assert.equal(whole.unfinishedBytes, 8)
  assert.deepEqual(
    whole.blocks.map(({ fired, heartbeat, id }) => [fired, heartbeat, id]),
    [
      [false, false, undefined],
      [false, true, undefined],
      [true, false, '1'],
      [true, false, '2'],
      [true, true, undefined],
      [false, false, undefined],
      [false, false, undefined],
      [true, false, ''],
    ],
  )
})

test('a block knows when it began and when it was complete', () => {
  const watch = new StreamWatch()
  watch.write(Buffer.from('data: a\n\ndata:'), 10)
  watch.write(Buffer.from(' b\n'), 20)
  watch.write(Buffer.from('\ndata: c\n\n'), 30)
  const { blocks } = watch.seen(NO_WIRE)
  assert.deepEqual(
    blocks.map(({ begunAt, at }) => [begunAt, at]),
    [
      [10, 10],
      [10, 30],
      [30, 30],
    ],
  )
})

test('what is kept of a body is bounded', () => {
  const many = watched('data\n\n'.repeat(MAX_BLOCKS + 500))
  assert.equal(many.blocks.length, MAX_BLOCKS)
  assert.equal(many.blockCount, MAX_BLOCKS + 500)
  assert.equal(watched(`data: ${'x'.repeat(5_000_000)}\n\n`).stopped, 'overflow')
  const watch = new StreamWatch()
  const chunk = Buffer.from(`: ${'x'.repeat(65_534)}\n\n`.repeat(16))
  let taken = 0
  while (watch.write(chunk, taken)) taken += chunk.length
  assert.equal(watch.seen(NO_WIRE).stopped, 'flood')
  assert.ok(taken <= MAX_BODY_BYTES)
  assert.equal(watched(Buffer.from('data: \xff\n\n', 'latin1')).badUtf8, true)
})

test('times in events: milliseconds, ISO, seconds with a fraction; no other numbers', () => {
  assert.equal(findStamp('{"t":1800000000123}'), 1_800_000_000_123)
  assert.equal(findStamp('1800000000123-0'), 1_800_000_000_123)
  assert.equal(findStamp('at 2027-01-15T08:00:00.500Z'), Date.parse('2027-01-15T08:00:00.500Z'))
  assert.equal(findStamp('1800000000.25'), 1_800_000_000_250)
  for (const none of ['', '12', '1800000000', '99999999999999', '3.1800000000123', '2027-01-15']) {
    assert.equal(findStamp(none), undefined, none)
  }
})

test('where to resume from: the middle, an id once used, or nowhere', () => {
  const of = (...ids: (string | undefined)[]) => planResume(aBody(ids.map((id) => aBlock(1, { id }))))
  assert.deepEqual(of('1', '2', '3', '4'), { id: '2', missed: ['3', '4'], before: ['1', '2'] })
  assert.deepEqual(of('1'), { id: '1', missed: [], before: ['1'] })
  assert.deepEqual(of('a', 'a', 'a'), { id: 'a', missed: [], before: ['a'] })
  assert.equal(of(undefined, undefined), undefined)
  assert.equal(of('', 'a\x01b', 'x'.repeat(600)), undefined, 'what no client can send')
  const many = of(...Array.from({ length: 5_000 }, (_, index) => String(index)))
  assert.equal(many?.missed.length, 50)
})

test('figures and foreign text', () => {
  assert.deepEqual([duration(12.4), duration(3_049), duration(61_000)], ['12 ms', '3.0 s', '61 s'])
  assert.deepEqual([size(5), size(2_048), size(3_145_728)], ['5 B', '2 KiB', '3.0 MiB'])
  assert.equal(quoted('a\x1b[31m\r\n\u202eb'), '"a\\u001b[31m\\r\\n\\u202eb"')
  assert.equal(quoted('x'.repeat(100), 10), '"xxxxxxxxxx…"')
  assert.deepEqual([median([]), median([3]), median([1, 2]), median([9, 1, 5])], [undefined, 3, 1.5, 5])
})

test('the table: worst first, cures only where something is to be cured, colour only where wanted', () => {
  const seen = observed({ body: aBody([aBlock(10)], { bom: true }) })
  const plain = table(seen, diagnose(seen), { colour: false, width: 100 })
  assert.ok(!plain.includes('\x1b'))
  assert.ok(plain.split('\n').every((line) => line.length <= 100))
  const severities = [...plain.matchAll(/^(ok|info|warning|error) /gm)].map(([, one]) => one)
  assert.deepEqual(
    severities,
    [...severities].sort((a, b) => order(b) - order(a)),
  )
  assert.match(plain, /warning {2}ids/)
  assert.match(plain, /0 errors, 2 warnings, \d+ info, \d+ ok\n$/)
  assert.ok(table(seen, diagnose(seen), { colour: true, width: 20 }).includes('\x1b[33mwarning'))
  const nothing = observed({ response: undefined, body: undefined })
  assert.match(table(nothing, [], { colour: false, width: 80 }), /no response within 6\.0 s/)
})

const order = (severity = ''): number => ['ok', 'info', 'warning', 'error'].indexOf(severity)

test('JSON: findings, observations without the single blocks, the exit status', () => {
  const seen = observed({}, { plain: observed().main })
  const read = JSON.parse(json(seen, diagnose(seen), 0))
  assert.equal(read.exitStatus, 0)
  assert.equal(read.observed.main.body.blocks, undefined)
  assert.equal(read.observed.main.body.blockCount, 1)
  assert.ok(read.findings.length > 5)
})

test('options: what is meant, and what cannot be', () => {
  const read = readOptions([
    ...['https://a.example/x', '--wait', '30', '--header', 'A: b: c', '--header', 'Cookie:x'],
    ...['--origin', 'https://B.example/', '--last-event-id', 'é', '--insecure', '--http1', '--json'],
  ])
  assert.ok(read !== 'help')
  assert.equal(read.wait, 30_000)
  assert.deepEqual(read.headers, [
    ['A', 'b: c'],
    ['Cookie', 'x'],
  ])
  assert.equal(read.origin, 'https://b.example')
  assert.equal(readOptions(['--help']), 'help')
  assert.equal((readOptions(['http://a', '--origin', 'null']) as { origin?: string }).origin, 'null')
  for (const wrong of [
    [],
    ['a.example'],
    ['ftp://a'],
    ['http://a', 'http://b'],
    ['http://a', '--wait', '0'],
    ['http://a', '--wait', 'x'],
    ['http://a', '--wait', '1e9'],
    ['http://a', '--header', 'no colon'],
    ['http://a', '--header', 'a: b\nc'],
    ['http://a', '--origin', 'b.example'],
    ['http://a', '--origin', 'https://b.example/path'],
    ['http://a', '--last-event-id', 'a\nb'],
    ['http://a', '--nonsense'],
  ]) {
    assert.throws(() => readOptions(wrong), Refusal, wrong.join(' '))
  }
  for (const option of [
    '--wait',
    '--header',
    '--last-event-id',
    '--origin',
    '--insecure',
    '--http1',
    '--json',
  ]) {
    assert.ok(DOCTOR_USAGE.includes(option))
  }
})

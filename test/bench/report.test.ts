// bench/report on small made-up results: what it writes, what it leaves out, and that no text breaks out of its place.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { charts } from '../../bench/report/charts.ts'
import { collect } from '../../bench/report/collect.ts'
import { page } from '../../bench/report/page.ts'
import { readResult } from '../../bench/report/result.ts'
import { linear, logarithmic } from '../../bench/report/scale.ts'
import { el } from '../../bench/report/svg.ts'

const MAIN = fileURLToPath(new URL('../../bench/report/main.ts', import.meta.url))
const MACHINE = {
  cpu: 'Made-up 3000',
  cores: 2,
  memoryBytes: 8 * 1024 ** 3,
  kernel: 'linux 6.1',
  node: 'v20.19.0',
}
const NASTY = '<script>alert("x")</script> & | `code` \u0000'

interface Made {
  scenario: string
  [key: string]: unknown
}

function made(scenario: string, more: object = {}): Made {
  return {
    scenario,
    at: '2026-11-23T10:00:00Z',
    machine: MACHINE,
    versions: { 'better-sse': '0.16.1' },
    command: `npm run bench -- ${scenario}`,
    method: 'Interleaved rounds, medians.',
    runs: [],
    summary: [],
    ...more,
  }
}

function stat(median: number) {
  return { median, min: median * 0.9, max: median * 1.2, n: 3 }
}

function fanout(): Made {
  const summary = []
  for (const [peer, speed] of Object.entries({ sluice: 2, 'write-string': 1, 'a-new-peer': 0.5 })) {
    for (const eventsPerTurn of [1, 16]) {
      for (const connections of [100, 1_000, 15_000]) {
        summary.push({
          peer,
          params: { connections, eventsPerTurn, bytes: 150 },
          metrics: {
            deliveriesPerSecond: stat(100_000 * speed * eventsPerTurn),
            cpuMicrosPerDelivery: stat(10 / speed / eventsPerTurn),
          },
        })
      }
    }
  }
  const ratios = [
    { what: 'deliveries/s over res.write', value: 2, floor: 1.4, ok: true },
    { what: 'sixteen events', value: 3.5, floor: 4, ok: false },
  ]
  return made('fanout', { summary, ratios })
}

function paced(): Made {
  const params = { connections: 5_000, eventsPerSecond: 10 }
  return made('paced', {
    summary: [
      {
        peer: 'sluice',
        params,
        metrics: { latencyP50Ms: stat(2), latencyP99Ms: stat(9), latencyP999Ms: stat(20) },
      },
      { peer: 'nchan', params, metrics: { latencyP50Ms: stat(3) } },
    ],
  })
}

function idle(): Made {
  const row = (peer: string, bytes: number) => ({
    peer,
    params: { connections: 10_000 },
    metrics: { bytesPerConnection: stat(bytes), oddMetric: stat(7) },
  })
  return made('idle', { summary: [row('sluice', 5_120), row('hono', 20_480)] })
}

function bodyOf(...results: Made[]) {
  return collect(results.map((result, index) => readResult(`${index}.json`, JSON.stringify(result))))
}

/** What a strict reader of XML says of it: unbalanced or unescaped text is an error. */
function assertWellFormed(svg: string): void {
  const open: string[] = []
  const rest = svg.replace(
    /<(\/?)([a-z]+)((?:\s+[a-zA-Z0-9:-]+="[^"<>]*")*)\s*(\/?)>/g,
    (_, end, name, _attributes, empty) => {
      if (end) assert.equal(open.pop(), name)
      else if (!empty) open.push(name)
      return ''
    },
  )
  assert.deepEqual(open, [])
  assert.doesNotMatch(rest, /[<>]/)
  assert.doesNotMatch(rest, /&(?!(amp|lt|gt|quot);)/)
  assert.doesNotMatch(svg, /NaN|Infinity|undefined/)
}

function run(
  t: TestContext,
  results: Made[],
): { folder: string; out: string; err: string; status: number | null } {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-report-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const files = results.map((result, index) => {
    const file = join(folder, `${index}-${result.scenario}.json`)
    writeFileSync(file, JSON.stringify(result))
    return file
  })
  const args = [...process.execArgv, MAIN, ...files, '--out', join(folder, 'docs', 'benchmarks.md')]
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  return { folder, out: stdout, err: stderr, status }
}

test('the command writes a page and its charts, the same each time', (t) => {
  const results = [fanout(), paced(), idle()]
  const first = run(t, results)
  assert.equal(first.status, 0, first.err)
  const docs = join(first.folder, 'docs')
  assert.deepEqual(readdirSync(join(docs, 'benchmarks')).sort(), [
    'cpu.svg',
    'deliveries.svg',
    'latency.svg',
    'memory.svg',
  ])
  const second = join(run(t, results).folder, 'docs')
  const files = [
    'benchmarks.md',
    ...readdirSync(join(docs, 'benchmarks')).map((name) => `benchmarks/${name}`),
  ]
  for (const file of files) {
    const content = readFileSync(join(docs, file), 'utf8')
    assert.equal(content, readFileSync(join(second, file), 'utf8'), file)
    if (file.endsWith('.svg')) assertWellFormed(content)
    else
      for (const [, link] of content.matchAll(/\]\((benchmarks\/[^)]+)\)/g))
        assert.ok(existsSync(join(docs, link ?? '')))
  }
})

test('the page says with what, how, against which bounds, and what it does not say', () => {
  const body = bodyOf(fanout(), paced(), idle())
  const text = page(body, charts(body), 'benchmarks')
  for (const part of [
    'Made-up 3000, 2 cores',
    'v20.19.0',
    '| better-sse | 0.16.1 |',
    '```sh\nnpm run bench -- fanout\nnpm run bench -- paced\nnpm run bench -- idle\n```',
    'Interleaved rounds, medians. (fanout, paced, idle)',
    '| deliveries/s over res.write | fanout | 2 | 1.4 | yes |',
    '| sixteen events | fanout | 3.5 | 4 | NO |',
    '## What these figures do not say',
    '| 1,000 connections, one event at a time, 150 B events | Sluice | 200,000 (180,000 to 240,000) |',
    '| a-new-peer |',
    'oddMetric',
    '(benchmarks/latency.svg)',
  ]) {
    assert.ok(text.includes(part), part)
  }
})

test('the charts show the work that the floors are about, with units', () => {
  const [deliveries, cpu, latency, memory] = charts(bodyOf(fanout(), paced(), idle())).map(({ svg }) => svg)
  assert.match(deliveries ?? '', />1,000 connections, one event at a time, 150 B events</)
  assert.match(deliveries ?? '', />200k</)
  assert.match(cpu ?? '', /µs of CPU per delivery/)
  for (const connections of ['100', '1,000', '15,000'])
    assert.ok(cpu?.includes(`>${connections}<`), connections)
  assert.match(latency ?? '', />milliseconds \(logarithmic\)/)
  assert.match(memory ?? '', />5\.00</)
  for (const svg of [deliveries, cpu, latency, memory]) assert.match(svg ?? '', /prefers-color-scheme: dark/)
})

test('missing peers, metrics and scenarios leave holes, not errors', () => {
  const empty = bodyOf(
    made('fanout'),
    made('unheard-of', { summary: [{ peer: 'sluice', metrics: { x: { median: 1 } } }] }),
  )
  assert.deepEqual(charts(empty), [])
  assert.match(page(empty, [], 'benchmarks'), /unheard-of/)

  const odd = bodyOf({
    scenario: 'paced',
    summary: [{ peer: 'sluice', metrics: { latencyP50Ms: 0 } }, 7, null, {}],
  })
  assert.deepEqual(charts(odd), [], 'zero has no place on a logarithmic axis')
  assert.match(page(odd, [], 'benchmarks'), /not recorded/)

  const [chart] = charts(
    bodyOf({
      scenario: 'fanout',
      summary: [{ peer: 'net', metrics: { deliveriesPerSecond: { median: 5 } } }],
    }),
  )
  assertWellFormed(chart?.svg ?? '')
})

test('runs without a summary are summarised', () => {
  const runs = [10, 30, 20, 40].map((value, round) => ({
    peer: 'sluice',
    params: { connections: 1 },
    round,
    metrics: { bytesPerConnection: value, broken: null },
  }))
  const [row] = readResult('a.json', JSON.stringify(made('idle', { runs }))).rows
  assert.deepEqual(row?.metrics, { bytesPerConnection: { median: 25, min: 10, max: 40, n: 4 } })
})

test('of two results for the same work the newest counts; another machine’s are left out and named', () => {
  const older = idle()
  const newer = made('idle', {
    at: '2026-11-24T10:00:00Z',
    summary: [
      { peer: 'sluice', params: { connections: 10_000 }, metrics: { bytesPerConnection: stat(1_024) } },
    ],
  })
  const foreign = made('paced', { at: '2026-11-01T00:00:00Z', machine: { ...MACHINE, cpu: 'Other' } })
  const body = bodyOf(newer, older, foreign)
  const rows = body.rows.get('idle') ?? []
  assert.deepEqual(
    rows.map(({ peer, metrics }) => [peer, metrics.bytesPerConnection?.median]),
    [
      ['sluice', 1_024],
      ['hono', 20_480],
    ],
  )
  assert.deepEqual(
    body.left.map(({ file }) => file),
    ['2.json'],
  )
  assert.match(page(body, [], 'benchmarks'), /Left out: 2\.json/)
})

test('no text of a result breaks out of its place', () => {
  const nasty = made('fanout', {
    machine: { ...MACHINE, cpu: NASTY },
    command: 'echo ```` # four',
    method: NASTY,
    versions: { [NASTY]: NASTY },
    summary: [
      {
        peer: NASTY,
        params: { [NASTY]: NASTY },
        metrics: { deliveriesPerSecond: stat(5), [NASTY]: stat(1) },
      },
      { peer: NASTY, params: { connections: 2 }, metrics: { cpuMicrosPerDelivery: stat(5) } },
      { peer: NASTY, params: { connections: 20 }, metrics: { cpuMicrosPerDelivery: stat(5) } },
    ],
    ratios: [{ what: NASTY, value: 1, floor: NASTY, ok: true }],
  })
  const body = bodyOf(nasty)
  const drawn = charts(body)
  assert.equal(drawn.length, 2)
  for (const { svg } of drawn) {
    assertWellFormed(svg)
    assert.ok(!svg.includes('<script') && !svg.includes('\0'))
  }
  const text = page(body, drawn, 'benchmarks')
  assert.ok(!text.includes('<script'))
  assert.match(text, /`````sh\necho ```` # four\n`````/)
  for (const line of text.split('\n').filter((line) => line.startsWith('|') && line.includes('alert'))) {
    assert.match(line, /\\\|/, 'a bar within a cell is escaped')
  }
  assert.equal(el('a', { b: '"<' }, '<&').text, '<a b="&quot;&lt;">&lt;&amp;</a>')
})

test('axes begin and end at round numbers around the values', () => {
  assert.deepEqual(linear(334_000, 0, 100).ticks, [0, 100_000, 200_000, 300_000, 400_000])
  assert.deepEqual(linear(0.3, 0, 100, 3).ticks, [0, 0.1, 0.2, 0.3])
  assert.equal(linear(50, 10, 110).at(50), 110)
  assert.deepEqual(logarithmic(1.3, 54, 0, 100).ticks, [1, 2, 5, 10, 20, 50, 100])
  assert.deepEqual(logarithmic(2, 2, 0, 100).ticks, [2, 5])
  assert.equal(logarithmic(1, 100, 0, 100).at(10), 50)
})

test('no file, a file that is no result, --help', (t) => {
  const missing = run(t, [])
  assert.equal(missing.status, 2)
  assert.match(missing.err, /No result file/)
  assert.throws(() => readResult('x.json', '{'), /x\.json is no JSON/)
  assert.throws(() => readResult('x.json', '{"a":1}'), /x\.json is no result/)
  const { status, stdout } = spawnSync(process.execPath, [...process.execArgv, MAIN, '--help'], {
    encoding: 'utf8',
  })
  assert.equal(status, 0)
  assert.match(stdout, /--out FILE/)
})

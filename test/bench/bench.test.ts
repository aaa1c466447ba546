// The scenarios themselves, small: they measure nothing here, but every client must count every event.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { EventMaker } from '../../bench/event.ts'
import { LimitError, plan } from '../../bench/limits.ts'
import { Options, UsageError } from '../../bench/options.ts'
import { command, ratio, summarise } from '../../bench/result.ts'
import { percentiles, Samples } from '../../bench/statistics.ts'

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
const run = promisify(execFile)

interface Outcome {
  scenario: string
  machine: { node: string }
  runs: { peer: string; params: Record<string, number | string>; metrics: Record<string, number> }[]
  ratios?: { ok: boolean }[]
}

async function bench(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const argv = ['--import', 'tsx', 'bench/main.ts', ...args]
  try {
    return { code: 0, ...(await run(process.execPath, argv, { cwd: ROOT, timeout: 120_000 })) }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string } // what execFile rejects with
    return { code, stdout, stderr }
  }
}

async function measured(...args: string[]): Promise<Outcome> {
  if (!existsSync(`${ROOT}/dist/index.js`)) await run('npm', ['run', 'build'], { cwd: ROOT })
  const { code, stdout, stderr } = await bench(...args, '--json', '-')
  assert.equal(code, 0, stderr)
  assert.match(stderr, /round 1\/1|soak: sluice, cycle 1/, 'a progress line')
  return JSON.parse(stdout) as Outcome // asserted below
}

test('fanout: each peer of the runtime alone delivers everything, and its CPU time is counted', async () => {
  const peers = ['sluice', 'write-string', 'write-buffer', 'net']
  const outcome = await measured(
    'fanout',
    '--connections',
    '40',
    '--burst',
    '1,16',
    '--pace',
    'turn',
    '--peers',
    peers.join(','),
    '--rounds',
    '1',
    '--seconds',
    '0.1',
  )
  assert.equal(outcome.runs.length, peers.length * 2)
  for (const { peer, params, metrics } of outcome.runs) {
    assert.ok(peers.includes(peer))
    assert.equal(params.connections, 40)
    assert.ok((metrics.cpuMicrosPerDelivery ?? 0) > 0)
    assert.ok((metrics.deliveriesPerSecond ?? 0) > 0)
  }
  assert.equal(outcome.machine.node, process.version)
})

test('paced, storm and slow: latency, resume, and stalls that the server has seen', async () => {
  const paced = await measured(
    'paced',
    '--connections',
    '30',
    '--peers',
    'sluice',
    '--rounds',
    '1',
    '--seconds',
    '1',
  )
  const { metrics } = paced.runs[0] ?? assert.fail('no run')
  assert.ok((metrics.latencyP50Ms ?? 0) > 0)
  assert.ok((metrics.latencyP999Ms ?? 0) >= (metrics.latencyP50Ms ?? Number.NaN))

  const storm = await measured(
    'storm',
    '--connections',
    '60',
    '--reconnect',
    '30',
    '--peers',
    'sluice',
    '--rounds',
    '1',
  )
  assert.ok((storm.runs[0]?.metrics.resumesPerSecond ?? 0) > 0)

  const slow = await measured(
    'slow',
    '--connections',
    '20',
    '--stalled',
    '4',
    '--seconds',
    // A stall is seen by the second look at the same write, of one a second.
    '3',
    '--peers',
    'sluice',
    '--rounds',
    '1',
  )
  assert.ok((slow.runs[0]?.metrics.stallsSeen ?? 0) >= 4)
})

test('idle, codec, cores, soak: memory, throughput, two processes on one port, a cycle', async () => {
  const idle = await measured(
    'idle',
    '--connections',
    '200',
    '--peers',
    'bare,sluice',
    '--rounds',
    '1',
    '--heartbeat-connections',
    '20',
    '--heartbeat-seconds',
    '0.2',
  )
  assert.ok((idle.runs[0]?.metrics.bytesPerConnection ?? 0) > 1_000)
  const codec = await measured('codec', '--size', '64', '--rounds', '1', '--seconds', '0.02')
  assert.equal(codec.runs.length, 4)
  const cores = await measured(
    'cores',
    '--workers',
    '1,2',
    '--connections',
    '30',
    '--rounds',
    '1',
    '--seconds',
    '0.1',
  )
  assert.equal(cores.runs.length, 2)
  const soak = await measured('soak', '--minutes', '0.01', '--levels', '120', '--hold', '0.1')
  assert.ok((soak.runs[0]?.metrics.heapBytes ?? 0) > 0)
})

test('help, and what is wrong on the command line', async () => {
  const help = await bench('--help')
  for (const name of ['fanout', 'paced', 'idle', 'slow', 'storm', 'soak', 'codec', 'cores', 'check']) {
    assert.match(help.stdout, new RegExp(`^ {2}${name} `, 'm'))
  }
  assert.match((await bench('fanout', '--help')).stdout, /--connections/)
  for (const [args, message] of [
    [['nothing'], /no scenario "nothing"/],
    [['fanout', '--peers', 'socket.io'], /no peer "socket\.io"/],
    [['fanout', '--seconds=-1'], /--seconds must be a number above 0, not "-1"/],
    [['fanout', '--connections', '900000'], /open files.*ulimit -n/s],
  ] as const) {
    const { code, stderr } = await bench(...args)
    assert.equal(code, 2)
    assert.match(stderr, message)
  }
})

test('the parts: options, plan, medians, percentiles, an event of the size asked for', () => {
  assert.throws(() => Options.parse({}, ['--what', '1']), UsageError)
  assert.throws(() => plan(10_000_000), LimitError)
  assert.deepEqual(
    plan(10_000).shares.reduce((sum, share) => sum + share, 0),
    10_000,
  )
  const [row] = summarise(
    [3, 1, 2].map((x, round) => ({ peer: 'a', params: { n: 1 }, round, metrics: { x } })),
  )
  assert.deepEqual(row?.metrics.x, { median: 2, min: 1, max: 3, n: 3 })
  const samples = new Samples()
  for (let n = 1; n <= 2_000; n += 1) samples.add(n)
  assert.deepEqual(percentiles(samples.take()), { p50: 1_000, p99: 1_980, p999: 1_998, max: 2_000 })
  assert.equal(
    command(['idle', '--json', '/tmp/x', '--rounds', '2', '--json=-']),
    'npm run bench -- idle --rounds 2',
  )
  assert.equal(ratio('x', 1, 'at least', 1.4).ok, false)
  assert.equal(ratio('x', 1, 'at most', 1.2).ok, true)
  assert.equal(new EventMaker(150).make(0).data.length, 120)
})

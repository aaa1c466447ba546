// The Prometheus example, run for real: names and units as its conventions ask, values as they are.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { Client } from '../support/client.ts'
import { eventually } from '../support/server.ts'

const SERVER = resolve(import.meta.dirname, '../../docs/examples/prometheus/server.ts')

test('metrics of a hub as Prometheus text', async (t) => {
  const child = spawn(process.execPath, ['--import', 'tsx', SERVER], {
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  let said = ''
  child.stdout.on('data', (bytes: Buffer) => {
    said += bytes.toString()
  })
  await eventually(() => said.includes('ready'))
  const origin = /http:\/\/[\d.:]+/.exec(said)?.[0]
  const client = await Client.open(`${origin}/events`)
  await client.count(1)
  const gone = await Client.open(`${origin}/events`)
  gone.drop()
  const metrics = async (): Promise<string> => (await fetch(`${origin}/metrics`)).text()
  let text = ''
  for (let n = 0; n < 100 && !/closed_total\{reason="client"\} 1/.test(text); n += 1) text = await metrics()

  assert.match(text, /^# TYPE sluice_connections gauge$/m)
  assert.match(text, /^sluice_connections 1$/m)
  assert.match(text, /^# TYPE sluice_connections_opened_total counter$/m)
  assert.match(text, /^sluice_connections_opened_total 2$/m)
  assert.match(text, /^sluice_connections_closed_total\{reason="client"\} 1$/m)
  assert.match(text, /^sluice_connections_closed_total\{reason="stalled"\} 0$/m)
  assert.match(text, /^sluice_connections_refused_total\{reason="rate"\} 0$/m)
  assert.match(text, /^sluice_events_published_total [1-9]/m)
  assert.match(text, /^sluice_sent_bytes_total [1-9]/m)
  assert.match(text, /^sluice_connection_age_seconds_count\{reason="client"\} 1$/m)
  // Prometheus' naming rules: base units, _total on counters and only there.
  const types = [...text.matchAll(/^# TYPE (sluice_\S+) (\S+)$/gm)]
  assert.ok(types.length >= 13)
  for (const [, name, type] of types) {
    assert.equal(name?.endsWith('_total'), type === 'counter', name)
    assert.doesNotMatch(name ?? '', /_(ms|milliseconds|kb)(_|$)/)
  }
  const slow = (await (await fetch(`${origin}/slow`)).json()) as { label: string; lag: { events: number } }[]
  assert.equal(slow.length, 1)
  assert.equal(slow[0]?.lag.events, 0)
  client.drop()
})

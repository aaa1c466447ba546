// Sluice itself, as its own doctor sees it: nothing worse than an info.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { examine } from '../support/doctor.ts'
import { eventually, serve } from '../support/server.ts'

test('Sluice with its defaults, busy and idle, from its own origin and another', async (t) => {
  const { hub, url } = await serve(t, (one, req, res) =>
    one.connect(req, res, { channels: [req.url === '/idle' ? 'idle' : 'busy'], cors: true }),
  )
  const timer = setInterval(() => void hub.publish('busy', { event: 'tick', data: { at: Date.now() } }), 100)
  t.after(() => clearInterval(timer))
  const [busy, idle] = await Promise.all([
    examine(url, '--wait', '5', '--origin', 'https://app.example'),
    examine(`${url}idle`, '--wait', '5'),
  ])
  for (const seen of [busy, idle]) {
    assert.deepEqual(seen.faults, [], JSON.stringify(seen.findings))
    seen.says('six-connections', 'info')
    seen.says('first-byte-late', 'ok')
    seen.says('last-event-id-unsafe', 'ok')
    seen.says('concurrency', 'ok')
  }
  busy.says('resume', 'ok', /all \d+ missed came again, Sluice-Resume: "full"/)
  busy.says('cors', 'ok')
  busy.says('cors-preflight', 'ok')
  busy.says('held-back', 'ok')
  idle.says('resume', 'ok', /full/)
  idle.says('ids', 'ok', /position/)
  await eventually(() => hub.stats().connections === 0)
})

test('Sluice with a heartbeat and a reconnection time, and a last event ID of the user', async (t) => {
  const { url } = await serve(t, (hub, req, res) => hub.connect(req, res, { channels: ['a'] }), {
    heartbeat: 700,
    retry: 2_500,
  })
  const seen = await examine(url, '--wait', '3', '--last-event-id', 'of another server')
  assert.deepEqual(seen.faults, [])
  seen.says('heartbeat', 'ok', /after [678]\d\d ms/)
  seen.says('retry', 'ok', /2500/)
  seen.says('resume', 'info', /Sluice-Resume: "gap"/)
})

test('Sluice that is shutting down says when to come back, which is no fault', async (t) => {
  const { hub, url } = await serve(t, (one, req, res) => one.connect(req, res, { channels: ['a'] }))
  await hub.close({ within: 0 })
  const seen = await examine(url, '--wait', '1')
  seen.says('ends', 'info', /only said when to come back/)
})

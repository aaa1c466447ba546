// What becomes of a server that was killed under a thousand clients: they must come back spread out, or they would kill
// it again.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, type EventStream, type Retry } from '../../src/client.ts'
import { killable } from '../support/killable.ts'
import { eventually } from '../support/server.ts'

const CLIENTS = 1_000
const BASE = 4_000
const BINS = 10

test(`${CLIENTS} clients of a server that was killed come back spread over the backoff window`, {
  timeout: 120_000,
}, async (t) => {
  const server = await killable(t)
  const first: Retry[] = []
  const clients: EventStream[] = []
  t.after(() => {
    for (const client of clients) client.close()
  })
  for (let n = 0; n < CLIENTS; n += 1) {
    const client = connect(server.url, {
      backoff: { base: BASE, cap: 2 * BASE },
      onRetry: (retry) => {
        if (retry.attempt === 1) first.push(retry)
      },
    })
    clients.push(client)
    // The backlog of connections not yet accepted is bounded.
    if (n % 100 === 99) await eventually(() => clients.every(({ state }) => state === 'open'))
  }
  // Told their positions, so that all of them ask to resume.
  await eventually(() => clients.every(({ lastEventId }) => lastEventId !== ''))

  const killedAt = performance.now()
  await server.restart()
  const downtime = performance.now() - killedAt
  await settledIn(60_000, () => server.requests.length >= CLIENTS)
  await eventually(() => clients.every(({ state }) => state === 'open'))

  assert.equal(server.requests.length, CLIENTS, 'each came back once')
  assert.ok(server.requests.every(({ lastEventId }) => lastEventId !== ''))
  // What was drawn is spread evenly, whatever the downtime.
  assert.equal(first.length, CLIENTS)
  const drawn = histogram(
    first.map(({ delay }) => Math.min(delay, BASE - 1)), // rounded, so the window's end itself may be drawn
    BASE / BINS,
  )
  for (const count of drawn) assert.ok(Math.abs(count - CLIENTS / BINS) < 50, drawn.join(' '))
  // And so they arrive, but that a busy machine handles some of them in heaps: looked at by half seconds.
  const arrivals = server.requests.map(({ at }) => at).sort((a, b) => a - b)
  const halves = histogram(arrivals, 500)
  const spread = (arrivals[Math.floor(CLIENTS * 0.9)] ?? 0) - (arrivals[Math.floor(CLIENTS * 0.1)] ?? 0)
  const peak = Math.max(...halves)
  t.diagnostic(
    `down for ${downtime.toFixed(0)} ms; 80 % came back over ${spread.toFixed(0)} ms; at most ${peak} in ` +
      `500 ms (even: ${(CLIENTS * 500) / BASE}; without jitter: ${CLIENTS}), ` +
      `${Math.max(...histogram(arrivals, 100))} in 100 ms`,
  )
  t.diagnostic(`arrivals per half second: ${halves.join(' ')}`)
  // Far from the even figures, for a starved machine fires timers in heaps; farther from one wave.
  assert.ok(peak < CLIENTS / 2, halves.join(' '))
  assert.ok(spread > BASE / 4, `80 % within ${spread} ms`)
})

function histogram(values: readonly number[], width: number): number[] {
  const counts: number[] = []
  for (const value of values) {
    const bin = Math.floor(Math.max(0, value) / width)
    counts[bin] = (counts[bin] ?? 0) + 1
  }
  return Array.from(counts, (count) => count ?? 0)
}

async function settledIn(ms: number, done: () => boolean): Promise<void> {
  const end = performance.now() + ms
  while (!done()) {
    if (performance.now() > end) throw new Error(`not settled within ${ms} ms`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

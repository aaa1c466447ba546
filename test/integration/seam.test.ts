// The seam between replay and live: whatever is published while a resume joins, the sequence is exact.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mintId } from '../../src/core/position.ts'
import { Client } from '../support/client.ts'
import { CoreHub } from '../support/core-hub.ts'
import { serve } from '../support/server.ts'

/** A small generator with a seed, so that a failure can be run again. */
function seeded(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
}

test('events published exactly while a resume joins live, 100,000 times: the exact sequence every time', () => {
  const draw = seeded(Number(process.env.SEED ?? 20_261_123))
  const hub = new CoreHub({ maxWriteBytes: 120, channelDefaults: { maxEvents: 64 } })
  // Two channels, so that the merge has its seam, too: who reads both sees every number.
  const publish = (times: number): void => {
    for (let n = 0; n < times; n += 1) {
      const next = hub.head + 1
      void hub.publish(next % 3 ? 'a' : 'b', { data: String(next) })
    }
  }
  publish(64)
  for (let round = 0; round < 100_000; round += 1) {
    const channels = [['a', 'b'], ['a'], ['b', 'a']][draw(3)] ?? []
    const from = hub.head - draw(20)
    if (draw(2)) publish(draw(3))
    const { connection, sink } = hub.open({ channels }, mintId(hub.epoch, from))
    // Anything may happen between any two steps of the loop.
    for (let steps = draw(4); steps > 0; steps -= 1) {
      publish(draw(3))
      hub.fake.turn()
    }
    publish(draw(2))
    hub.fake.settle()
    const expected: string[] = []
    for (let n = from + 1; n <= hub.head; n += 1) if (channels.length === 2 || n % 3) expected.push(String(n))
    const got = sink.events
    assert.deepEqual(
      got.map(({ data }) => data),
      expected,
      `round ${round}`,
    )
    assert.equal(
      got.at(-1)?.lastEventId ?? mintId(hub.epoch, from),
      expected.length ? mintId(hub.epoch, Number(expected.at(-1))) : mintId(hub.epoch, from),
    )
    connection.close()
    hub.fake.settle()
  }
  assert.equal(hub.stats().connections, 0)
})

test('the same over real sockets, with a publisher that never rests', async (t) => {
  const { hub, url } = await serve(t, (hub, req, res) => void hub.connect(req, res, { channels: ['a'] }))
  let publishing = true
  const publisher = (async () => {
    for (let n = 1; publishing; n += 1) {
      void hub.publish('a', { data: String(n) })
      if (n % 3 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  const resume = async (): Promise<void> => {
    const position = hub.position
    const from = Number(position.slice(position.indexOf('-') + 1))
    const client = await Client.open(url, { headers: { 'last-event-id': position } })
    await client.count(20)
    client.drop()
    assert.equal(client.headers['sluice-resume'], 'full')
    client.data.forEach((data, index) => {
      assert.equal(data, String(from + 1 + index))
    })
  }
  for (let round = 0; round < 75; round += 1) await Promise.all(Array.from({ length: 20 }, resume))
  publishing = false
  await publisher
})

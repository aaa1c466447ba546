// Readers ask for a million events and then do not read. What is held for them is bounded, and is let go when they are gone; a
// reader beside them gets the million in order.

import { StreamClient } from '../client.ts'
import { Reader } from '../reader.ts'
import { Remote } from '../remote.ts'
import type { Scenario } from '../scenario.ts'
import { eventually, pause } from '../wait.ts'

const MOST = 131_072
const STALLED = 50

export default {
  name: 'memory-cap',
  promises: ['bounded', 'order', 'once'],
  attacks: 'A replay of 1,000,000 events to readers that do not read, beside one that does.',
  limit: 120,
  async run(_, report) {
    const events = report.scale(1_000_000)
    const remote = await Remote.start(report, {
      options: {
        maxWriteBytes: 65_536,
        maxBufferedBytes: MOST,
        stallTimeout: 4_000,
        channelDefaults: { maxEvents: events, maxBytes: 1_000_000_000, maxAge: 3_600_000 },
      },
    })
    for (let n = 0; n < events; n += 100_000)
      await remote.call('publish', { count: Math.min(100_000, events - n), most: 60, breathe: 1_000 })
    const before = await remote.call('memory')

    const stalled = Array.from(
      { length: STALLED },
      () => new StreamClient({ port: remote.port, path: '/stalled?from=oldest', paused: true }),
    )
    report.after(() => {
      for (const client of stalled) client.kill()
    })
    report.figures.faults += STALLED
    report.figures.cases += STALLED + 1
    let blocked = 0
    let most = 0
    for (let n = 0; n < 200 && blocked < STALLED; n += 1) {
      const held = await remote.call('held')
      most = Math.max(most, ...held)
      blocked = held.filter((bytes) => bytes > 0).length
      await pause(10)
    }
    report.check(blocked === STALLED, `${blocked} of ${STALLED} are blocked`)
    report.check(most <= MOST + 200, `${most} bytes held for one`)
    const during = await remote.call('memory')
    const grown = during.heap - before.heap
    report.check(grown <= STALLED * (MOST + 16_384), `${grown} bytes for ${STALLED} stalled readers`)
    report.note('MB of the log', before.heap / 1e6)
    report.note('KB held per stalled reader', grown / STALLED / 1_000)

    const reader = new Reader(report, 'the reader', { port: remote.port, path: '/?from=oldest' })
    reader.witness.startsAtOldest()
    reader.open()
    await eventually(() => reader.witness.last >= events, 'the reader to have everything', 60_000).catch(
      () => {},
    )
    reader.witness.finish(events)
    report.check(reader.witness.gaps.length === 0, 'the reader was told of a gap')
    reader.client?.kill()

    for (let n = 0; n < 1_000 && (await remote.call('look')).connections > 0; n += 1) await pause(10)
    const { closes, connections } = await remote.call('look')
    report.check(connections === 0 && closes.stalled === STALLED, `closed: ${JSON.stringify(closes)}`)
    const left = (await remote.call('memory')).heap - before.heap
    report.check(left < 3_000_000, `${left} bytes left when they were gone`)
    report.figures.sent = events
    await remote.close(report)
  },
} satisfies Scenario

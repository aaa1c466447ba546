// The server's event loop is held up while writes are on their way. Nobody who reads may be taken for stalled; who has really
// stopped is found all the same.

import { Reader } from '../reader.ts'
import { Remote } from '../remote.ts'
import type { Scenario } from '../scenario.ts'
import { eventually, pause } from '../wait.ts'

const STALL = 1_000

export default {
  name: 'blocked-loop',
  promises: ['patient', 'found', 'order'],
  attacks:
    'The event loop of the server is held up for 2 s, and for many shorter whiles, while writes to all its clients are on their way.',
  limit: 90,
  async run(_, report) {
    const remote = await Remote.start(report, {
      options: {
        stallTimeout: STALL,
        heartbeat: 500,
        channelDefaults: { maxEvents: 2_000, maxBytes: 50_000_000 },
      },
    })
    const readers = Array.from(
      { length: 30 },
      (_, n) => new Reader(report, `reader ${n}`, { port: remote.port }),
    )
    for (const reader of readers) reader.open()
    await eventually(() => readers.every(({ witness }) => witness.lastEventId !== ''), 'all to be connected')
    let held = 0
    for (let round = 0; round < report.scale(3); round += 1) {
      held += await remote.call('block', { ms: 2_000, most: 200_000 })
      report.figures.faults += 1
      for (let n = 0; n < 10; n += 1) {
        held += await remote.call('block', { ms: report.between(50, 300), most: 200_000 })
        report.figures.faults += 1
      }
    }
    report.note('writes on their way when it was held up', held)
    report.check(held > 0, 'no write was ever on its way: the scenario lost its point')
    const { published, closes } = await remote.call('look')
    report.check(closes.stalled === 0, `${closes.stalled} readers were taken for stalled`)
    const whole = (): boolean => readers.every(({ witness }) => witness.last === published)
    await eventually(whole, 'everybody to have everything').catch(() => {})
    for (const { witness, connections } of readers) {
      witness.finish(published)
      report.check(connections === 1 && witness.gaps.length === 0, 'a reader was disturbed')
    }

    const stopped = readers.slice(0, 5)
    for (const { client } of stopped) client?.socket.pause()
    report.figures.faults += stopped.length
    for (let n = 0; n < 60 && (await remote.call('look')).closes.stalled < stopped.length; n += 1) {
      await remote.call('block', { ms: 150, most: 400_000 })
      await pause(20)
    }
    const end = await remote.call('look')
    report.check(
      end.closes.stalled === stopped.length,
      `${end.closes.stalled} of ${stopped.length} that stopped were found`,
    )
    report.figures.cases = readers.length
    report.figures.sent = end.published
    await remote.close(report)
  },
} satisfies Scenario

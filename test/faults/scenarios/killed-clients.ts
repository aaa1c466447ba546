// Clients die at any moment of a long publication and come back with the last event ID that they had, some of them so late
// that the log has gone on without them.

import { Reader } from '../reader.ts'
import type { Scenario } from '../scenario.ts'
import { target } from '../target.ts'
import { eventually, turns } from '../wait.ts'

const CLIENTS = 40

export default {
  name: 'killed-clients',
  promises: ['order', 'whole', 'once'],
  attacks:
    'Clients are killed at random while numbered events are published, and come back with their Last-Event-ID, soon or too late.',
  limit: 60,
  async run(_, report) {
    const to = await target(report, { hub: { maxWriteBytes: 4_096, channelDefaults: { maxEvents: 500 } } })
    const events = report.scale(20_000)
    /** At which number each of those that are away comes back. */
    const away = new Map<Reader, number>()
    /** At which number each of those that are here is killed, looked at as events arrive: in the midst of a write. */
    const kill = (reader: Reader): void => {
      if (!reader.client || reader.client.closed) return
      if (report.chance(0.5)) reader.client.kill()
      else reader.client.reset()
      report.figures.faults += 1
      const absence = report.chance(0.1) ? report.between(400, 1_200) : report.between(0, 60)
      away.set(reader, to.published + absence)
    }
    const readers = Array.from({ length: CLIENTS }, (_, index) => {
      let lives = report.between(1, 400)
      const reader: Reader = new Reader(report, `client ${index}`, {
        port: to.port,
        onBlock: () => {
          lives -= 1
          if (lives > 0 || to.published >= events) return
          lives = report.between(1, 800)
          kill(reader)
        },
      })
      return reader
    })
    for (const reader of readers) reader.open()
    await eventually(() => readers.every(({ witness }) => witness.lastEventId !== ''), 'all to be connected')

    while (to.published < events) {
      await to.publish(200)
      // Also those to whom nothing arrives just now: while they open, and while they replay.
      if (report.chance(0.02)) kill(report.pick(readers))
      if (to.published % 20 > 0) continue
      // So that the clients, which share this process, can read what they are sent.
      await turns(6)
      for (const [reader, at] of away) {
        if (to.published < at) continue
        away.delete(reader)
        reader.open()
      }
    }
    for (const reader of away.keys()) reader.open()
    const whole = (): boolean => readers.every(({ witness }) => witness.last >= events)
    await eventually(whole, 'everybody to have everything', 20_000).catch(() => {})
    for (const { witness } of readers) witness.finish(events)
    for (const { connections } of readers) report.figures.cases += connections
    report.check(report.figures.told > 0, 'nobody came back too late: the scenario lost its point')
  },
} satisfies Scenario

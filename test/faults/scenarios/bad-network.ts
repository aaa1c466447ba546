// Packets are lost, late and out of order. TCP mends it; nobody is closed for it, and everybody gets everything.

import { canMakeNamespaces, Link } from '../../support/netns.ts'
import { Reader } from '../reader.ts'
import { Remote } from '../remote.ts'
import type { Scenario } from '../scenario.ts'
import { eventually } from '../wait.ts'

const NETEM = ['delay', '20ms', '10ms', 'loss', '3%', 'reorder', '10%', 'duplicate', '1%']

export default {
  name: 'bad-network',
  promises: ['order', 'patient', 'whole'],
  attacks: 'Packets between server and clients are lost, delayed, reordered and doubled.',
  limit: 90,
  missing: () => {
    if (!canMakeNamespaces()) return 'needs network namespaces (ip from iproute2, and root)'
    const link = new Link()
    try {
      link.disturb(...NETEM)
      return undefined
    } catch {
      // A kernel is not something that a build can install: skipped there, too.
      return 'needs the kernel module sch_netem'
    } finally {
      link.remove()
    }
  },
  async run(_, report) {
    const link = new Link()
    report.after(() => link.remove())
    link.disturb(...NETEM)
    const options = {
      heartbeat: 2_000,
      stallTimeout: 10_000,
      channelDefaults: { maxEvents: 5_000, maxBytes: 50_000_000 },
    }
    const remote = await Remote.start(report, { options, host: link.address }, link)
    const readers = Array.from(
      { length: 20 },
      (_, n) => new Reader(report, `reader ${n}`, { port: remote.port, host: link.address }),
    )
    for (const reader of readers) reader.open()
    await eventually(() => readers.every(({ witness }) => witness.lastEventId !== ''), 'all to be connected')
    for (let round = 0; round < report.scale(10); round += 1) {
      await remote.call('publish', { count: 100, most: 2_000, breathe: 1 })
      // Some are cut off and resume over the same bad line.
      for (const reader of readers) {
        if (!report.chance(0.2) || reader.witness.lastEventId === '') continue
        report.figures.faults += 1
        reader.open()
      }
    }
    const { published, closes } = await remote.call('look')
    const whole = (): boolean => readers.every(({ witness }) => witness.last === published)
    await eventually(whole, 'everybody to have everything', 60_000).catch(() => {})
    for (const { witness, connections } of readers) {
      witness.finish(published)
      report.figures.cases += connections
    }
    report.check(closes.stalled + closes.dead === 0, `closed: ${JSON.stringify(closes)}`)
    report.figures.sent = published
    for (const { client } of readers) client?.kill()
    await remote.close(report)
  },
} satisfies Scenario

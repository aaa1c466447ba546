// Packets are lost, late and out of order. TCP mends it; nobody is closed for it, and everybody gets everything.

import { canMakeNamespaces, Link } from '../../support/netns.ts'
import { Reader } from '../reader.ts'
import { Remote } from '../remote.ts'
import type { Scenario } from '../scenario.ts'
import { eventually } from '../wait.ts'

const NETEM = ['netem', 'delay', '20ms', '10ms', 'loss', '3%', 'reorder', '10%', 'duplicate', '1%']
/** A line so narrow, with a queue so short, that what is sent in bursts is dropped. */
const NARROW = ['tbf', 'rate', '30mbit', 'burst', '8kb', 'limit', '12kb']

export default {
  name: 'bad-network',
  promises: ['order', 'patient', 'whole'],
  attacks:
    'Packets between server and clients are lost, delayed, reordered and doubled, or dropped by a narrow line.',
  limit: 90,
  missing: () => {
    if (!canMakeNamespaces()) return 'needs network namespaces (ip from iproute2, and root)'
    return shapes(NETEM) || shapes(NARROW) ? undefined : 'needs tc and the kernel module sch_netem or sch_tbf'
  },
  async run(_, report) {
    const link = new Link()
    report.after(() => link.remove())
    // A kernel is not something that a build can install.
    const netem = shapes(NETEM, link)
    if (!netem) {
      report.without.push('delay, reordering and doubling (needs the kernel module sch_netem)')
      link.shape(...NARROW)
    }
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
    report.note('packets dropped', link.dropped())
    report.check(netem || link.dropped() > 0, 'the narrow line dropped nothing: the scenario lost its point')
    for (const { client } of readers) client?.kill()
    await remote.close(report)
  },
} satisfies Scenario

/** Whether this kernel knows the queueing discipline. */
function shapes(qdisc: readonly string[], on?: Link): boolean {
  const link = on ?? new Link()
  try {
    link.shape(...qdisc)
    return true
  } catch {
    return false
  } finally {
    if (!on) link.remove()
  }
}

// The cable is pulled: no FIN, no RST, nothing. A silent peer is given up by the kernel's keep-alive within a heartbeat, one that
// is being written to once its buffers are full and stallTimeout has passed.

import { canMakeNamespaces, Link } from '../../support/netns.ts'
import { StreamClient } from '../client.ts'
import { Remote } from '../remote.ts'
import type { Scenario } from '../scenario.ts'
import { eventually, pause } from '../wait.ts'

const HEARTBEAT = 14_000
const STALL = 3_000
const EACH = 20

export default {
  name: 'vanished-peers',
  promises: ['found', 'once'],
  attacks: 'The link to clients is cut in a network namespace, some of them silent, some under traffic.',
  limit: 60,
  missing: () => {
    if (canMakeNamespaces()) return undefined
    if (process.env.CI) throw new Error('CI has no network namespaces: .ci/run must install iproute2')
    return 'needs network namespaces (ip from iproute2, and root)'
  },
  async run(_, report) {
    const link = new Link()
    report.after(() => link.remove())
    link.smallBuffers()
    const options = { heartbeat: HEARTBEAT, stallTimeout: STALL }
    const remote = await Remote.start(report, { options, host: link.address }, link)
    const paths = ['/busy', '/quiet?channel=quiet']
    const clients = paths.flatMap((path) =>
      Array.from({ length: EACH }, () => new StreamClient({ port: remote.port, host: link.address, path })),
    )
    report.after(() => {
      for (const client of clients) client.kill()
    })
    await eventually(() => clients.every(({ blocks }) => blocks > 0), 'all to be connected')
    await remote.call('start', { most: 4_000, every: 10 })
    await pause(500)
    report.figures.cases = clients.length
    report.figures.faults = clients.length

    const { now: cutAt } = await remote.call('look')
    link.cut()
    const end = performance.now() + HEARTBEAT + 10_000
    while ((await remote.call('look')).connections > 0 && performance.now() < end) await pause(100)
    const { ends, connections, published } = await remote.call('look')
    report.figures.sent = published
    report.check(connections === 0, `${connections} peers that are gone were never found`)
    const latest = { busy: 0, quiet: 0 }
    for (const { label, reason, at } of ends) {
      const kind = label === '/busy' ? 'busy' : 'quiet'
      latest[kind] = Math.max(latest[kind], at - cutAt)
      const right = kind === 'busy' ? reason === 'stalled' || reason === 'dead' : reason === 'dead'
      report.check(right, `a ${kind} peer that vanished was closed as ${reason}`)
    }
    report.note('ms until the last silent one was found', latest.quiet)
    report.note('ms until the last busy one was found', latest.busy)
    report.check(latest.quiet <= HEARTBEAT, `a silent one was found after ${latest.quiet} ms`)
    report.check(latest.busy <= STALL * 1.2 + 3_000, `a busy one was found after ${latest.busy} ms`)
    await remote.close(report)
  },
} satisfies Scenario

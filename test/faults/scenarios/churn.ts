// Connections that come and go as fast as the machine lets them, closed by either side, under a stream of events.

import { collectGarbage } from '../../support/gc.ts'
import { StreamClient } from '../client.ts'
import type { Scenario } from '../scenario.ts'
import { CHANNEL, target } from '../target.ts'
import { eventually, turns } from '../wait.ts'

const AT_ONCE = 64

export default {
  name: 'churn',
  promises: ['once'],
  attacks: 'Connections are opened and closed, by client and by server, as fast as they can be.',
  limit: 120,
  async run(_, report) {
    const to = await target(report, {
      handler: (hub, req, res) => {
        const connection = hub.connect(req, res, { channels: [CHANNEL, `of:${req.url}`] })
        if (req.url === '/closing') connection.close()
      },
    })
    let publishing = true
    const publisher = (async () => {
      while (publishing) {
        void to.publish(50)
        await turns(10)
      }
    })()
    report.after(() => {
      publishing = false
    })
    const all = report.scale(50_000)
    let left = all
    let halfway = 0
    const one = async (): Promise<void> => {
      while (left > 0) {
        left -= 1
        if (left === all >> 1) {
          await collectGarbage()
          halfway = process.memoryUsage().heapUsed
        }
        const closing = report.chance(0.3)
        const client = new StreamClient({
          port: to.port,
          path: closing ? '/closing' : '/',
          // A port that has just been used is taken for a while: several addresses.
          localAddress: `127.0.0.${report.between(2, 9)}`,
          onBlock: () => {
            if (!closing) client.reset()
          },
        })
        await client.ended()
        report.figures.cases += 1
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, one))
    publishing = false
    await publisher
    await eventually(() => to.hub.stats().connections === 0, 'every connection to end')
    await collectGarbage()
    const grown = process.memoryUsage().heapUsed - halfway
    report.note('bytes of heap grown over the second half', grown)
    report.check(grown < 4_000_000, `${grown} bytes of heap more than halfway`)
    report.check(to.ledger.opened === all, `${to.ledger.opened} of ${all} were opened`)
    // Nobody reads their channels, and nothing was ever published to them.
    report.figures.faults = to.hub.stats().closes.client
  },
} satisfies Scenario

// The peer's RST at any moment of a connection's life: each still ends once, and nothing throws.

import { StreamClient } from '../client.ts'
import type { Scenario } from '../scenario.ts'
import { CHANNEL, type Target, target } from '../target.ts'
import { eventually, pause, turns } from '../wait.ts'

const AT_ONCE = 100
const MOMENTS = ['open', 'write', 'replay', 'drain', 'close'] as const

export default {
  name: 'resets',
  promises: ['once', 'untrusted'],
  attacks: 'RST at random moments of open, write, replay, drain and close.',
  limit: 90,
  async run(_, report) {
    const to = await target(report, {
      hub: { maxWriteBytes: 16_384, channelDefaults: { maxEvents: 400, maxBytes: 4_000_000 } },
      handler: (hub, req, res) => {
        const connection = hub.connect(req, res, { channels: [CHANNEL], from: 'oldest' })
        // The application closes about when the client does.
        const after = Number(new URL(req.url ?? '', 'http://x').searchParams.get('close') ?? Number.NaN)
        if (after >= 0) void turns(after).then(() => connection.close())
      },
    })
    for (let n = 0; n < 400; n += 1) void to.publish(8_000)
    const first = (await to.publish()).replace(/\d+$/, '1')
    let publishing = true
    const publisher = (async () => {
      while (publishing) {
        void to.publish(report.pick([0, 100, 8_000]))
        await turns(4)
      }
    })()
    report.after(() => {
      publishing = false
    })

    const attack = async (): Promise<void> => {
      const moment = report.pick(MOMENTS)
      const path = moment === 'close' ? `/?close=${report.between(0, 8)}` : '/'
      const client = new StreamClient({
        port: to.port,
        path,
        ...(moment === 'replay' ? { lastEventId: first } : {}),
        paused: moment === 'drain',
        ...(moment === 'open' && report.chance(0.5) ? { cut: report.between(0, 28) } : {}),
      })
      report.figures.cases += 1
      if (moment === 'open') await turns(report.between(0, 4))
      else if (moment === 'drain') {
        // Stopped for long enough to block the server, then let flow for a moment.
        await pause(report.between(5, 60))
        client.socket.resume()
        await turns(report.between(0, 6))
      } else {
        await Promise.race([new Promise((resolve) => client.socket.once('data', resolve)), client.ended()])
        await turns(report.between(0, moment === 'close' ? 8 : 12))
      }
      if (!client.closed) report.figures.faults += 1
      client.reset()
      await client.ended()
    }
    let left = report.scale(10_000)
    const attacker = async (): Promise<void> => {
      while (left > 0) {
        left -= 1
        await attack()
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, attacker))
    publishing = false
    await publisher
    await eventually(() => to.hub.stats().connections === 0, 'every connection to end')
    await stillServes(to)
    report.note('opened', to.ledger.opened)
    report.check(to.ledger.opened > report.figures.cases / 2, 'too few of them ever opened')
  },
} satisfies Scenario

async function stillServes(to: Target): Promise<void> {
  let seen = 0
  const client = new StreamClient({
    port: to.port,
    onBlock: ({ data }) => {
      if (data !== undefined) seen += 1
    },
  })
  await eventually(() => seen >= 400, 'a client after the storm to get what is kept')
  client.kill()
}

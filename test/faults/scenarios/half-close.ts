// A FIN from a client that does not read, while the server is in the middle of a write to it: some read on afterwards, some
// never do, some are reset.

import { connect, type Socket } from 'node:net'
import type { Scenario } from '../scenario.ts'
import { CHANNEL, target } from '../target.ts'
import { eventually, turns } from '../wait.ts'

const STALL = 1_500

export default {
  name: 'half-close',
  promises: ['once', 'found', 'bounded'],
  attacks:
    'Clients send FIN while a write to them is blocked; some then read on, some never read, some are reset.',
  limit: 60,
  async run(_, report) {
    const to = await target(report, {
      hub: { stallTimeout: STALL, heartbeat: 1_000, channelDefaults: { maxBytes: 400_000 } },
      handler: (hub, req, res) => void hub.connect(req, res, { channels: [CHANNEL] }),
    })
    const count = report.scale(80)
    const sockets: Socket[] = []
    for (let n = 0; n < count; n += 1) {
      const socket = connect({ port: to.port, host: '127.0.0.1', allowHalfOpen: true })
      socket.on('error', () => {})
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
      socket.pause()
      sockets.push(socket)
      report.after(() => socket.destroy())
    }
    await eventually(() => to.ledger.opened === count, 'all to be open')
    const held = (): number[] => to.hub.connections().map(({ bufferedBytes }) => bufferedBytes)
    for (let n = 0; n < 400 && held().filter((bytes) => bytes > 0).length < count; n += 1) {
      await to.publish(100_000)
      await turns(5)
    }
    report.check(held().filter((bytes) => bytes > 0).length === count, 'not all are blocked')
    report.check(Math.max(...held()) <= 262_144 + 110_000, `${Math.max(...held())} bytes held for one`)

    for (const socket of sockets) {
      // A reset while the FIN is on its way to the kernel is refused by the platform on the client's side.
      const sent = new Promise<void>((resolve) => socket.end(resolve))
      report.figures.cases += 1
      report.figures.faults += 1
      const then = report.pick(['reads', 'stops', 'reset'])
      await sent
      await turns(report.between(0, 3))
      if (then === 'reads') socket.on('data', () => {}).resume()
      else if (then === 'reset') socket.resetAndDestroy()
      // Events go on coming for those that have half left.
      if (report.chance(0.3)) void to.publish(1_000)
    }
    const began = performance.now()
    await eventually(() => to.hub.stats().connections === 0, 'every connection to end', STALL + 10_000)
    report.note('ms until the last had ended', performance.now() - began)
    const { closes } = to.hub.stats()
    report.note('closed as client', closes.client)
    report.note('closed as stalled', closes.stalled)
    report.check(closes.client + closes.stalled === count, `closed otherwise: ${JSON.stringify(closes)}`)
    report.check(closes.stalled > 0, 'none of those that never read was found stalled')
  },
} satisfies Scenario

// Hundreds of requests in one piece on one connection, whose client then vanishes.

import { connect } from 'node:net'
import type { Scenario } from '../scenario.ts'
import { target } from '../target.ts'
import { eventually, turns } from '../wait.ts'

const REQUESTS = 500
const HEARTBEAT = 1_000
const PIPELINE = Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(REQUESTS))

export default {
  name: 'pipelined',
  promises: ['once', 'untrusted'],
  attacks:
    '500 pipelined requests on one connection, which then vanishes by RST, by FIN or in the middle of a request.',
  limit: 60,
  async run(_, report) {
    let asked = 0
    const to = await target(report, {
      hub: { heartbeat: HEARTBEAT },
      handler: (hub, req, res) => {
        asked += 1
        void hub.connect(req, res, { channels: ['events'] })
      },
    })
    const rounds = report.scale(40)
    for (let round = 0; round < rounds; round += 1) {
      const socket = connect({ port: to.port, host: '127.0.0.1' })
      socket.on('error', () => {})
      socket.on('data', () => {})
      const gone = new Promise((resolve) => socket.once('close', resolve))
      const cut = report.chance(0.3) ? report.between(1, PIPELINE.length) : PIPELINE.length
      socket.write(PIPELINE.subarray(0, cut))
      report.figures.cases += 1
      report.figures.faults += 1
      // Sometimes before the server has read any of it.
      await turns(report.between(0, 12))
      void to.publish(100)
      if (report.chance(0.5)) socket.resetAndDestroy()
      else socket.destroy()
      await gone
    }
    // Once answers that cannot be sent fill its buffer, node:http reads no more from the connection, and the departure shows only
    // when something is written: at the first heartbeat after an RST, at the second after a FIN.
    const began = performance.now()
    await eventually(() => to.hub.stats().connections === 0, 'every connection to end', 2 * HEARTBEAT + 1_500)
    report.note('ms until the last had ended', performance.now() - began)
    report.note('requests that arrived', asked)
    report.note('streams opened', to.ledger.opened)
    report.check(to.ledger.opened <= rounds, 'a pipelined request opened a stream behind another')
    report.check(to.ledger.opened > 0, 'no stream was ever opened')
  },
} satisfies Scenario

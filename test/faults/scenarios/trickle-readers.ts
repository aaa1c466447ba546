// Readers that take one byte a second, so that they always seem to be about to read. They are found, they cost what is stated,
// and those beside them get everything.

import { connect } from 'node:net'
import type { Connection } from '../../../src/index.ts'
import { Reader } from '../reader.ts'
import type { Scenario } from '../scenario.ts'
import { CHANNEL, target } from '../target.ts'
import { eventually, turns } from '../wait.ts'

const STALL = 2_000
const MOST = 65_536

export default {
  name: 'trickle-readers',
  promises: ['alone', 'bounded', 'found', 'order'],
  attacks: 'Readers that take one byte a second under a steady stream, beside readers that take all.',
  limit: 60,
  async run(_, report) {
    const slow: Connection[] = []
    const to = await target(report, {
      hub: {
        stallTimeout: STALL,
        maxWriteBytes: 32_768,
        maxBufferedBytes: MOST,
        channelDefaults: { maxEvents: 200 },
      },
      handler: (hub, req, res) => {
        const connection = hub.connect(req, res, { channels: [CHANNEL] })
        if (req.url === '/slow') slow.push(connection)
      },
    })
    const readers = Array.from({ length: 10 }, (_, n) => new Reader(report, `reader ${n}`, { port: to.port }))
    for (const reader of readers) reader.open()
    const count = report.scale(40)
    const timers: NodeJS.Timeout[] = []
    for (let n = 0; n < count; n += 1) {
      // One byte leaves the kernel at a time, or what is read would be a whole buffer.
      const socket = connect({
        port: to.port,
        host: '127.0.0.1',
        onread: { buffer: new Uint8Array(1), callback: () => false },
      })
      socket.on('error', () => {})
      socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n')
      const timer = setInterval(() => socket.resume(), 1_000)
      timers.push(timer)
      report.after(() => {
        clearInterval(timer)
        socket.destroy()
      })
      report.figures.cases += 1
      report.figures.faults += 1
    }
    await eventually(() => to.ledger.opened === count + 10, 'all to be open')
    let most = 0
    let firstStalled = 0
    const began = performance.now()
    to.hub.on('close', (_, { reason }) => {
      if (reason === 'stalled' && firstStalled === 0) firstStalled = performance.now() - began
    })
    while (to.hub.stats().closes.stalled < count && performance.now() - began < 25_000) {
      await to.publish(40_000)
      // What is sent to one client only has nowhere else to be than with its connection.
      for (const connection of slow) connection.send({ data: 'x'.repeat(2_000) })
      await turns(6)
      // It is slow to ask, and they change slowly.
      if (to.published % 20 === 0)
        for (const { bufferedBytes } of to.hub.connections()) most = Math.max(most, bufferedBytes)
    }
    const { closes } = to.hub.stats()
    report.check(
      closes.stalled === count,
      `${closes.stalled} of ${count} were found: ${JSON.stringify(closes)}`,
    )
    report.check(firstStalled >= STALL, `found after ${firstStalled} ms, before its time`)
    report.check(most <= MOST + 41_000, `${most} bytes held for one of them`)
    report.note('most bytes held for one', most)
    report.note('ms until the last was found', performance.now() - began)
    const whole = (): boolean => readers.every(({ witness }) => witness.last === to.published)
    await eventually(whole, 'the others to have everything').catch(() => {})
    for (const { witness } of readers) {
      witness.finish(to.published)
      report.check(witness.gaps.length === 0, 'a reader that reads was told of a gap')
    }
    for (const timer of timers) clearInterval(timer)
  },
} satisfies Scenario

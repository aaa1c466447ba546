// Requests that never finish: a byte of a header now and then, a body that does not come. They become no connections, the
// server's own limits end them, and those who stream notice nothing.

import { connect, type Socket } from 'node:net'
import { Reader } from '../reader.ts'
import type { Scenario } from '../scenario.ts'
import { target } from '../target.ts'
import { eventually, pause } from '../wait.ts'

const HEAD = 'GET / HTTP/1.1\r\nHost: x\r\nX-Padding: '
const BODY = 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n'
const TIMEOUT = 2_000

export default {
  name: 'slowloris',
  promises: ['untrusted', 'alone', 'once'],
  attacks: 'Requests whose header or body comes a byte at a time and never ends, beside clients that stream.',
  limit: 60,
  async run(_, report) {
    const server = { headersTimeout: TIMEOUT, requestTimeout: TIMEOUT, connectionsCheckingInterval: 200 }
    const to = await target(report, { server })
    const readers = Array.from({ length: 5 }, (_, n) => new Reader(report, `reader ${n}`, { port: to.port }))
    for (const reader of readers) reader.open()
    await eventually(() => to.hub.stats().connections === 5, 'the readers to be connected')

    const count = report.scale(300)
    let ended = 0
    const slow: Socket[] = []
    const bodies: Socket[] = []
    for (let n = 0; n < count; n += 1) {
      const socket = connect({ port: to.port, host: '127.0.0.1' })
      socket.on('error', () => {})
      socket.on('data', () => {})
      socket.on('close', () => {
        ended += 1
      })
      const withBody = report.chance(0.3)
      socket.write(withBody ? BODY : HEAD.slice(0, report.between(1, HEAD.length)))
      if (withBody) bodies.push(socket)
      slow.push(socket)
      report.after(() => socket.destroy())
      report.figures.cases += 1
      report.figures.faults += 1
    }
    let most = 0
    const began = performance.now()
    while (ended < count && performance.now() - began < 3 * TIMEOUT + 4_000) {
      for (const socket of slow) if (!socket.destroyed && report.chance(0.2)) socket.write('a')
      await to.publish(100)
      most = Math.max(most, to.hub.stats().connections)
      await pause(25)
    }
    report.check(ended === count, `${count - ended} unfinished requests were never ended`)
    report.check(most <= 5 + bodies.length, `${most} connections, of requests that are not there`)
    report.check(to.hub.stats().connections === 5, 'those who stream are not all there any more')
    const whole = (): boolean => readers.every(({ witness }) => witness.last === to.published)
    await eventually(whole, 'the readers to have everything').catch(() => {})
    for (const { witness, connections } of readers) {
      witness.finish(to.published)
      report.check(connections === 1 && witness.gaps.length === 0, 'a reader was disturbed')
    }
    report.note('ms until the last was ended', performance.now() - began)
  },
} satisfies Scenario

// HTTP/2 streams that are reset at random moments, clients that withhold their window, sessions that are lost.

import { type ClientHttp2Session, connect, createServer, type ServerHttp2Session } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { numberOf } from '../events.ts'
import type { Scenario } from '../scenario.ts'
import { CHANNEL, target } from '../target.ts'
import { eventually, turns } from '../wait.ts'

/** RFC 9113, section 7. */
const CANCEL = 8

export default {
  name: 'http2-abuse',
  promises: ['once', 'alone', 'bounded', 'untrusted'],
  attacks:
    'HTTP/2: streams reset at random moments of their life, windows that are never opened again, sessions destroyed with all their streams.',
  limit: 90,
  async run(_, report) {
    const to = await target(report, { hub: { stallTimeout: 1_500, heartbeat: 500 } })
    const server = createServer((req, res) => void to.hub.connect(req, res, { channels: [CHANNEL] }))
    const sessions = new Set<ServerHttp2Session>()
    server.on('session', (session) => {
      sessions.add(session)
      session.once('close', () => sessions.delete(session))
    })
    server.on('sessionError', () => {})
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo // it listens on TCP
    const clients = new Set<ClientHttp2Session>()
    const open = (): ClientHttp2Session => {
      const session = connect(`http://127.0.0.1:${port}`)
      session.on('error', () => {})
      clients.add(session)
      return session
    }
    report.after(async () => {
      for (const session of clients) session.destroy()
      for (const session of sessions) session.destroy()
      await new Promise((resolve) => server.close(resolve))
    })

    // Who reads, on a session of its own: nothing that the others do may show there.
    const witness = open().request({ ':path': '/' })
    let text = ''
    let last = 0
    let opened = false
    witness.on('data', (bytes: Buffer) => {
      opened = true
      text += bytes.toString()
      for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
        const data = /^data: (.*)$/m.exec(text.slice(0, end))?.[1]
        text = text.slice(end + 2)
        if (data === undefined) continue
        const n = numberOf(data)
        report.figures.received += 1
        if (n !== last + 1) report.fail(`the witness got ${n} after ${last}`)
        last = n ?? last
      }
    })
    await eventually(() => opened, 'the witness to be served')

    const rounds = report.scale(30)
    for (let round = 0; round < rounds; round += 1) {
      const session = open()
      for (let n = 0; n < 20 && !session.destroyed; n += 1) {
        const stream = session.request({ ':path': '/' })
        stream.on('error', () => {})
        report.figures.cases += 1
        const fate = report.random()
        // Some never read: their window of 64 KB is used up by what is published below.
        if (fate < 0.2) continue
        stream.on('data', () => {})
        if (fate < 0.7) {
          report.figures.faults += 1
          void turns(report.between(0, 30)).then(() => stream.close(CANCEL))
        }
      }
      for (let n = 0; n < 5; n += 1) void to.publish(20_000)
      report.figures.sent += 5
      await turns(report.between(1, 40))
      if (report.chance(0.5)) {
        report.figures.faults += 1
        session.destroy()
        clients.delete(session)
      }
      const held = Math.max(0, ...to.hub.connections().map(({ bufferedBytes }) => bufferedBytes))
      report.check(held <= 262_144 + 21_000, `${held} bytes are held for one stream`)
    }
    for (const session of clients) if (!session.destroyed && session !== witness.session) session.destroy()
    await eventually(() => to.hub.stats().connections === 1, 'all but the witness to end')
    await eventually(() => last === to.published, 'the witness to have it all')
    report.note('given up as stalled', to.hub.stats().closes.stalled)
    witness.close(CANCEL)
    await eventually(() => to.hub.stats().connections === 0, 'the witness to end')
  },
} satisfies Scenario

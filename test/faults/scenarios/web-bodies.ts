// Responses whose bodies nobody reads, or reads for a while, or cancels, or aborts, at random moments.

import { numberOf } from '../events.ts'
import type { Scenario } from '../scenario.ts'
import { CHANNEL, target } from '../target.ts'
import { eventually, turns } from '../wait.ts'

export default {
  name: 'web-bodies',
  promises: ['once', 'alone', 'bounded', 'found'],
  attacks:
    'Responses of `hub.respond` whose bodies are never read, read for a while, cancelled or aborted at random moments, by the thousand.',
  limit: 60,
  async run(_, report) {
    const stallTimeout = 1_500
    const to = await target(report, { hub: { stallTimeout, heartbeat: 500 } })
    const request = (signal?: AbortSignal): Request =>
      new Request('http://a.example/', signal ? { signal } : {})
    const bodyOf = (response: Response): ReadableStream<Uint8Array> =>
      response.body as ReadableStream<Uint8Array> // a stream has one

    const reader = bodyOf(to.hub.respond(request(), { channels: [CHANNEL] })).getReader()
    let last = 0
    let over = false
    const reading = (async () => {
      let text = ''
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return
        text += new TextDecoder().decode(value)
        for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
          const data = /^data: (.*)$/m.exec(text.slice(0, end))?.[1]
          text = text.slice(end + 2)
          if (data === undefined) continue
          const n = numberOf(data)
          report.figures.received += 1
          if (n !== last + 1) report.fail(`the reader got ${n} after ${last}`)
          last = n ?? last
        }
      }
    })().catch((error: unknown) => {
      if (!over) report.fail(`the reader's body failed: ${String(error)}`)
    })

    const count = report.scale(2_000)
    let unread = 0
    for (let n = 0; n < count; n += 1) {
      const abort = new AbortController()
      const body = bodyOf(to.hub.respond(request(abort.signal), { channels: [CHANNEL] }))
      report.figures.cases += 1
      const fate = report.random()
      if (fate < 0.3) unread += 1
      else {
        report.figures.faults += 1
        void (async () => {
          const one = body.getReader()
          for (let reads = report.between(0, 4); reads > 0; reads -= 1) {
            await Promise.race([one.read(), turns(20)]).catch(() => {})
          }
          if (fate < 0.5) abort.abort()
          if (fate > 0.4) await one.cancel()
        })().catch(() => {})
      }
      if (n % 20 === 0) {
        void to.publish(2_000)
        report.figures.sent += 1
        await turns(report.between(1, 4))
        const held = Math.max(0, ...to.hub.connections().map(({ bufferedBytes }) => bufferedBytes))
        report.check(held <= 262_144 + 3_000, `${held} bytes are held for one body`)
      }
    }
    const began = performance.now()
    await eventually(() => to.hub.stats().connections === 1, 'all but the reader to end', stallTimeout * 3)
    report.note('ms until the last unread one was given up', performance.now() - began)
    // Of those that read for a while some may take so long over it that they are given up, too.
    const { closes } = to.hub.stats()
    report.check(closes.stalled >= unread, `${unread} were never read, ${closes.stalled} given up as stalled`)
    await eventually(() => last === to.published, 'the reader to have it all')
    over = true
    await reader.cancel()
    await reading
  },
} satisfies Scenario

// Readers that stop, and later go on. At a low rate nothing is lost and nobody is closed; at a high one they fall off the log, are
// told exactly what they missed, and go on in order.

import { Reader } from '../reader.ts'
import type { Report, Scenario } from '../scenario.ts'
import { type Target, target } from '../target.ts'
import { eventually, pause, turns } from '../wait.ts'

export default {
  name: 'stopped-readers',
  promises: ['order', 'whole', 'found', 'patient'],
  attacks: 'Readers stop reading at a low and at a high rate of events and go on at random, or never do.',
  limit: 60,
  async run(_, report) {
    await highRate(report)
    await lowRate(report)
    await never(report)
  },
} satisfies Scenario

/** They stop long enough to fall off the log, again and again, and are not closed for it. */
async function highRate(report: Report): Promise<void> {
  const hub = { maxWriteBytes: 8_192, stallTimeout: 10_000, channelDefaults: { maxEvents: 60 } }
  const to = await target(report, { hub })
  const readers = await open(report, to, 20)
  const events = report.scale(6_000)
  let hurry = 0
  while (to.published < events) {
    await to.publish(20_000)
    // Mostly at a pace that who reads can keep up with; now and then so fast that the log loses an event with each write.
    if (report.chance(0.002)) hurry = 300
    hurry -= 1
    await turns(hurry > 0 ? 1 : 3)
    for (const { client } of readers) {
      if (!client) continue
      if (client.socket.isPaused()) {
        if (report.chance(0.001)) client.socket.resume()
      } else if (report.chance(0.001)) {
        report.figures.faults += 1
        client.socket.pause()
      }
    }
  }
  for (const { client } of readers) client?.socket.resume()
  await finish(readers, to)
  report.check(report.figures.told > 0, 'nobody fell off the log: the scenario lost its point')
  report.check(to.hub.stats().closes.stalled === 0, 'a reader was taken for stalled')
}

/** What the kernel's buffers hold for them is no reason to close them. */
async function lowRate(report: Report): Promise<void> {
  const to = await target(report, { hub: { stallTimeout: 1_000, heartbeat: 400 } })
  const readers = await open(report, to, 20)
  for (const { client } of readers) client?.socket.pause()
  report.figures.faults += readers.length
  for (let n = 0; n < 60; n += 1) {
    await to.publish(200)
    await pause(40)
  }
  report.check(to.hub.stats().connections === readers.length, 'a reader of few events was closed')
  for (const { client } of readers) client?.socket.resume()
  await finish(readers, to)
  for (const { witness } of readers) report.check(witness.gaps.length === 0, 'a gap at a low rate')
}

/** Who does not go on is closed as stalled, not before its time and not much later; who comes back resumes. */
async function never(report: Report): Promise<void> {
  const stallTimeout = 1_000
  const to = await target(report, { hub: { stallTimeout, channelDefaults: { maxEvents: 100 } } })
  const readers = await open(report, to, 20)
  for (const { client } of readers) client?.socket.pause()
  report.figures.faults += readers.length
  let found = 0
  to.hub.on('close', (_, { reason, silence }) => {
    if (reason !== 'stalled') return
    found += 1
    // The silence is the time since the write that was not taken.
    report.check(silence >= stallTimeout, `found after ${silence} ms of ${stallTimeout}`)
    report.check(silence < stallTimeout * 1.2 + 1_000, `found only after ${silence} ms of ${stallTimeout}`)
  })
  // Until all are blocked, whatever the kernel takes; then time is all that is missing.
  const end = performance.now() + 30_000
  while (found < readers.length && performance.now() < end) {
    await to.publish(60_000)
    await turns(8)
    if (to.hub.stats().stalls > 0) await pause(20)
  }
  const { closes, stalls, connections } = to.hub.stats()
  report.check(
    found === readers.length,
    `${found} of ${readers.length} stopped readers were found; ${JSON.stringify({ connections, stalls, closes })}`,
  )
  for (const reader of readers) reader.open()
  await finish(readers, to)
}

async function open(report: Report, to: Target, count: number): Promise<Reader[]> {
  const readers = Array.from(
    { length: count },
    (_, n) => new Reader(report, `reader ${n}`, { port: to.port }),
  )
  for (const reader of readers) reader.open()
  report.figures.cases += count
  await eventually(() => readers.every(({ witness }) => witness.lastEventId !== ''), 'all to be connected')
  return readers
}

async function finish(readers: Reader[], to: Target): Promise<void> {
  await to.publish()
  const whole = (): boolean => readers.every(({ witness }) => witness.last === to.published)
  await eventually(whole, 'everybody to have everything').catch(() => {})
  for (const { witness } of readers) witness.finish(to.published)
  for (const { client } of readers) client?.kill()
  await to.close()
}

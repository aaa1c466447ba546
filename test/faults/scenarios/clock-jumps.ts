// The wall clock jumps by hours and years, forward and back. Heartbeats, stalls, ages and histories go by time that passes.

import { Reader } from '../reader.ts'
import type { Scenario } from '../scenario.ts'
import { target } from '../target.ts'
import { eventually, pause } from '../wait.ts'

const HEARTBEAT = 300
const KEPT = 1_500

export default {
  name: 'clock-jumps',
  promises: ['patient', 'order'],
  attacks: 'The wall clock jumps by up to years, forward and back, many times a second.',
  limit: 30,
  async run(_, report) {
    let offset = 0
    const Real = Date
    const Jumping = new Proxy(Real, {
      construct: (_, args: [number]) => (args.length > 0 ? new Real(...args) : new Real(Real.now() + offset)),
      get: (real, name) => (name === 'now' ? () => Real.now() + offset : Reflect.get(real, name)),
    })
    globalThis.Date = Jumping
    report.after(() => {
      globalThis.Date = Real
    })
    const jump = (): void => {
      const reach = 10 ** report.between(3, 11)
      offset = report.between(-reach, reach)
      report.figures.faults += 1
    }

    const to = await target(report, {
      hub: { heartbeat: HEARTBEAT, stallTimeout: 5_000, maxAge: 60_000, channelDefaults: { maxAge: KEPT } },
    })
    const silences: number[] = []
    const readers = Array.from({ length: 10 }, (_, n) => {
      let last = performance.now()
      return new Reader(report, `reader ${n}`, {
        port: to.port,
        onBlock: () => {
          // The first two leave for a while.
          if (n > 1) silences.push(performance.now() - last)
          last = performance.now()
        },
      })
    })
    const [leaver, late] = [readers[0] as Reader, readers[1] as Reader] // there are ten
    for (const reader of readers) reader.open()
    report.figures.cases = readers.length
    await eventually(() => readers.every(({ witness }) => witness.lastEventId !== ''), 'all to be connected')

    const jumpFor = async (ms: number): Promise<void> => {
      for (const end = performance.now() + ms; performance.now() < end; ) {
        jump()
        await pause(10)
      }
    }
    leaver.client?.kill()
    late.client?.kill()
    for (let n = 0; n < 20; n += 1) await to.publish(20)
    await jumpFor(KEPT / 2)
    // Half of its time has passed, whatever the wall says: all is there.
    leaver.open()
    await eventually(() => leaver.witness.last === 20, 'who was away for a while to have everything').catch(
      () => {},
    )
    leaver.witness.finish(20)
    report.check(leaver.witness.gaps.length === 0, 'the history went before its time')
    await jumpFor(KEPT / 2 + 1_200)
    // Its time is over, and the wall clock has been set back again and again meanwhile.
    for (let n = 0; n < 5; n += 1) await to.publish(20)
    late.open()
    await eventually(
      () => late.witness.gaps.length > 0 || late.witness.last > 0,
      'who was away for long to hear of it',
    )
    report.check(late.witness.gaps.length === 1, 'the history did not go in its time')
    await jumpFor(report.scale(2_000))
    await to.publish()
    const whole = (): boolean => readers.every(({ witness }) => witness.last === to.published)
    await eventually(whole, 'everybody to have everything').catch(() => {})
    for (const { witness } of readers) witness.finish(to.published)

    const longest = Math.max(...silences)
    report.note('ms of the longest silence', longest)
    report.note('ms of a heartbeat', HEARTBEAT)
    report.check(longest < HEARTBEAT + 500, `${longest} ms of silence`)
    // As many as the time that has passed allows, and no storm of them.
    const blocks = readers.at(-1)?.client?.blocks ?? 0
    report.check(blocks < 60 + to.published, `${blocks} blocks in a few seconds`)
    const { closes } = to.hub.stats()
    report.check(closes.stalled + closes.rotated + closes.dead === 0, `closed: ${JSON.stringify(closes)}`)
  },
} satisfies Scenario

// The server's process is killed while it writes to everybody. What a client was sent in part it never dispatches, whichever
// decoder it has, and when it comes back to the next life it is told that something is missing.

import { createParser } from 'eventsource-parser'
import { createDecoder } from '../../../src/event-stream.ts'
import { StreamClient } from '../client.ts'
import { numberOf } from '../events.ts'
import { Reader } from '../reader.ts'
import { Remote } from '../remote.ts'
import type { Report, Scenario } from '../scenario.ts'
import { eventually, pause } from '../wait.ts'

export default {
  name: 'killed-server',
  promises: ['whole', 'order'],
  attacks:
    'The server is killed by SIGKILL in the midst of its fan-out of events of up to 200 KB, and started again.',
  limit: 120,
  async run(_, report) {
    const options = { channelDefaults: { maxEvents: 200, maxBytes: 40_000_000 } }
    let remote = await Remote.start(report, { options })
    const { port } = remote
    const readers = Array.from({ length: 12 }, (_, n) => new Reader(report, `reader ${n}`, { port }))
    const kills = report.scale(15)
    for (let life = 0; life < kills; life += 1) {
      const next = await Remote.prepare(report)
      for (const reader of readers) reader.open()
      const others = Array.from({ length: 4 }, (_, n) => decoded(report, port, n))
      const open = (): boolean =>
        readers.every(({ client }) => client?.head) && others.every(({ head }) => head !== undefined)
      await eventually(open, 'all to be connected again')
      await remote.call('start', { most: 200_000, every: 2 })
      await pause(report.between(20, 150))
      report.figures.sent += (await remote.call('look')).published
      await pause(report.between(0, 10))
      await remote.kill()
      report.figures.faults += 1
      report.figures.cases += readers.length + others.length
      await Promise.all(others.map((client) => client.ended()))
      await Promise.all(readers.map(({ client }) => client?.ended()))
      remote = next
      await remote.listen({ options, port })
    }
    for (const reader of readers) reader.open()
    await eventually(() => readers.every(({ client }) => client?.head), 'all to be connected again')
    const published = await remote.call('publish', { count: 100, most: 10_000 })
    const whole = (): boolean => readers.every(({ witness }) => witness.last >= published)
    await eventually(whole, 'everybody to have everything').catch(() => {})
    report.figures.sent += published
    let told = 0
    for (const { witness } of readers) {
      witness.finish(published)
      told += witness.gaps.filter((reason) => reason === 'epoch').length
    }
    report.note('epoch gaps told', told)
    report.check(
      told === kills * readers.length,
      `${told} gaps told for ${kills} lives and ${readers.length} readers`,
    )
    await remote.close(report)
  },
} satisfies Scenario

/** A client that has the decoders of others, and of Sluice: what they dispatch must be whole. */
function decoded(report: Report, port: number, n: number): StreamClient {
  const dispatched = ({ data, event }: { data: string; event?: string | undefined }): void => {
    report.figures.received += 1
    if (event === 'gap') return
    report.check(numberOf(data) !== undefined, () => `a decoder dispatched a part: ${data.slice(0, 60)}`)
  }
  if (n % 2 === 0) {
    const decoder = createDecoder(dispatched)
    const client = new StreamClient({ port, onBody: (bytes) => decoder.write(bytes) })
    void client.ended().then(() => decoder.end())
    return client
  }
  const parser = createParser({ onEvent: dispatched })
  const client = new StreamClient({ port, onBody: (bytes) => parser.feed(bytes.toString('latin1')) })
  void client.ended().then(() => parser.reset())
  return client
}

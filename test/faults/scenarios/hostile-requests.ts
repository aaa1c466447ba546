// Headers and ids that no honest client sends. Each is answered by the book: a miss is a gap and never the history, nothing
// of it comes back as a header, and the server goes on.

import type { Block } from '../checker.ts'
import { type Head, StreamClient } from '../client.ts'
import { numberOf } from '../events.ts'
import type { Report, Scenario } from '../scenario.ts'
import { CHANNEL, target } from '../target.ts'
import { eventually } from '../wait.ts'

const KEPT = 50

export default {
  name: 'hostile-requests',
  promises: ['untrusted', 'order', 'once'],
  attacks:
    'Last-Event-ID, Origin, Accept, query and request line as no honest client sends them, some of them at random bytes.',
  limit: 60,
  async run(_, report) {
    const to = await target(report, {
      hub: { channelDefaults: { maxEvents: KEPT } },
      // What node:http itself refuses is answered by it, and is not our subject.
      server: { maxHeaderSize: 65_536 },
      handler: (hub, req, res) => {
        hub.connect(req, res, {
          channels: [CHANNEL],
          cors: { origin: (origin: string) => origin.endsWith('.example'), credentials: true },
          lastEventIdParam: 'after',
          variant: new URL(req.url ?? '/', 'http://x').searchParams.get('v') ?? undefined,
        } as Parameters<typeof hub.connect>[2]) // whatever the application passes on from the client
      },
    })
    for (let n = 0; n < 2 * KEPT; n += 1) await to.publish(20)
    const [epoch = ''] = to.hub.position.split('-')

    const all = report.scale(2_000)
    let left = all
    const attacker = async (): Promise<void> => {
      while (left > 0) {
        left -= 1
        await attack(report, to.port, epoch)
      }
    }
    await Promise.all(Array.from({ length: 32 }, attacker))
    await eventually(() => to.hub.stats().connections === 0, 'every connection to end')
  },
} satisfies Scenario

/** Last event IDs, and where each resumes: a number for a hit, `undefined` for none, a miss otherwise. */
function ids(report: Report, epoch: string): { lines: string[]; from: number | 'miss' | undefined } {
  const newest = 2 * KEPT
  const some = report.between(KEPT, newest)
  const noise = Array.from({ length: report.between(1, 200) }, () =>
    String.fromCharCode(report.pick([report.between(0x21, 0x7e), report.between(0x80, 0xff)])),
  ).join('')
  return report.pick([
    { lines: [], from: undefined },
    { lines: [''], from: undefined },
    { lines: [`${epoch}-${some}`], from: some },
    { lines: [`   ${epoch}-${some}\t`], from: some },
    { lines: [`${epoch}-${some}`, `${epoch}-${some}`], from: 'miss' },
    { lines: [`${epoch}-${newest + 1}`], from: 'miss' },
    { lines: [`${epoch}-0${some}`], from: 'miss' },
    { lines: [`${epoch}--1`], from: 'miss' },
    { lines: [`${epoch}-9007199254740993`], from: 'miss' },
    { lines: [`${epoch}-1e1`], from: 'miss' },
    { lines: [`${epoch}-0x10`], from: 'miss' },
    { lines: [`${epoch}-${some}${' '.repeat(3)}x`], from: 'miss' },
    { lines: [`${epoch.toUpperCase()}-${some}`], from: /[a-z]/.test(epoch) ? 'miss' : some },
    { lines: [`${epoch}-`, '-'], from: 'miss' },
    { lines: [`0000000000-${some}`], from: 'miss' },
    { lines: [`${epoch}-0`], from: 'miss' },
    { lines: ['__proto__'], from: 'miss' },
    { lines: ['constructor'], from: 'miss' },
    { lines: ['a'.repeat(40_000)], from: 'miss' },
    { lines: ['\xff\xfe\x80'], from: 'miss' },
    { lines: ['\xed\xa0\x80'], from: 'miss' },
    { lines: [`${epoch}-${some}\xc2\x85`], from: 'miss' },
    { lines: [`"><script>`], from: 'miss' },
    { lines: ['%0d%0aX-Injected: 1'], from: 'miss' },
    { lines: [noise], from: 'miss' },
  ] as const) as { lines: string[]; from: number | 'miss' | undefined } // fresh lists, nobody else's
}

async function attack(report: Report, port: number, epoch: string): Promise<void> {
  const { lines, from } = ids(report, epoch)
  const inQuery = lines.length > 0 && lines.every((line) => line.length < 9_000) && report.chance(0.3)
  const query = inQuery ? lines.map((line) => `after=${encodeURIComponent(utf8(line.trim()))}`) : []
  if (report.chance(0.2)) query.push(`v=${report.pick(['__proto__', 'constructor', 'x', '', '%00'])}`)
  const headers = [
    ...(inQuery ? [] : lines.map((line) => `Last-Event-ID: ${line}`)),
    ...(report.chance(0.3) ? [`Origin: ${origin(report)}`] : []),
    ...(report.chance(0.3)
      ? [`Accept: ${report.pick(['*/*', ',,,;', 'text/event-stream;q=0', 'a'.repeat(5_000)])}`]
      : []),
    ...(report.chance(0.1) ? ['X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2'] : []),
    ...(report.chance(0.1) ? ['Accept-Encoding: gzip, br, \x80'] : []),
  ].map((line) => `${line}\r\n`)
  report.figures.cases += 1
  report.figures.faults += 1

  const blocks: Block[] = []
  let head: Head | undefined
  const expected = from === 'miss' ? 1 : from === undefined ? 0 : 2 * KEPT - from
  const client = new StreamClient({
    port,
    path: `/${query.length > 0 ? '?' : ''}${query.join('&')}`,
    headers: headers.join(''),
    onHead: (arrived) => {
      head = arrived
    },
    onBlock: (block) => void blocks.push(block),
  })
  const fired = (): Block[] => blocks.filter(({ data }) => data !== undefined)
  const what = `${JSON.stringify(lines.map((line) => line.slice(0, 40)))}${inQuery ? ' in the query' : ''}`
  await eventually(
    () => client.closed || (blocks.length > 0 && fired().length >= expected),
    `an answer to ${what}`,
  ).catch((error: Error) => report.fail(error.message))
  client.reset()

  const resume = head?.headers.get('sluice-resume')
  const told = from === undefined ? 'none' : from === 'miss' ? 'gap' : 'full'
  report.check(head?.status === 200, `${what} was answered ${head?.status}`)
  report.check(resume === told, `${what} resumed ${resume}, not ${told}`)
  report.check(!head?.headers.has('x-injected'), `${what} came back as a header`)
  const events = fired()
  report.figures.received += events.length
  if (from === 'miss') {
    report.check(
      events.length === 1 && events[0]?.event === 'gap',
      `${what}: ${events.length} events instead of a gap`,
    )
    return
  }
  const numbers = events.map(({ data }) => numberOf(data ?? ''))
  const right = numbers.length === expected && numbers.every((n, index) => n === (from ?? 0) + 1 + index)
  report.check(
    right,
    `${what}: got ${numbers.slice(0, 5).join()} … (${numbers.length}), not the ${expected} after ${from}`,
  )
}

function origin(report: Report): string {
  return report.pick([
    'null',
    'https://good.example',
    'https://bad.test',
    '\x80\xff',
    'x'.repeat(9_000),
    'a, b',
    '*',
  ])
}

/** The header's bytes as the text that they stand for. */
function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8')
}

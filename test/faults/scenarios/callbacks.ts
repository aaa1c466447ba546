// The application's own code fails in every place where Sluice calls it: it throws, rejects, hangs, re-enters. Each failure is
// reported, none reaches the readers beside it.

import type { Connection, EventInput, Hub } from '../../../src/index.ts'
import { StreamClient } from '../client.ts'
import { dataOf } from '../events.ts'
import { Reader } from '../reader.ts'
import type { Report, Scenario } from '../scenario.ts'
import { CHANNEL, target } from '../target.ts'
import { eventually, turns, within } from '../wait.ts'

const CAUSE = 'thrown by the scenario'
const fail = (): never => {
  throw new Error(CAUSE)
}

export default {
  name: 'callbacks',
  promises: ['alone', 'order', 'once'],
  attacks:
    'Filters, serializers, variants, keys, CORS functions, listeners and piped sources throw, reject, hang, return nonsense and re-enter.',
  limit: 60,
  async run(_, report) {
    const reported = new Map<string, number>()
    // Before the target, whose end calls listeners, too.
    report.after(mute())
    const to = await target(report, {
      hub: {
        stallTimeout: 5_000,
        serialize: (data) => {
          if (data === 'throw') fail()
          // What is no string is refused, too.
          if (data === 'nothing') return undefined as unknown as string
          return JSON.stringify(data)
        },
        variants: { throws: fail, hangs: () => new Promise(() => {}) as unknown as EventInput },
      },
      expected: (error, { during }) => {
        reported.set(during, (reported.get(during) ?? 0) + 1)
        report.figures.faults += 1
        return String(error).includes(CAUSE) || String(error).includes('SLUICE_') || during !== 'write'
      },
      handler: (hub, req, res) => {
        const { pathname } = new URL(req.url ?? '/', 'http://x')
        const options = OPTIONS[pathname]
        const connection = hub.connect(req, res, { channels: [CHANNEL], ...options?.(hub) })
        if (pathname === '/listen') provoke(connection)
        if (pathname === '/pipe') void pipeBadly(report, connection)
      },
    })
    // Listeners that throw stand in front of nobody: one before, one after those that keep the books.
    for (const name of ['open', 'close', 'refuse'] as const) to.hub.on(name, fail)

    const readers = Array.from({ length: 5 }, (_, n) => new Reader(report, `reader ${n}`, { port: to.port }))
    for (const reader of readers) reader.open()
    await eventually(() => readers.every(({ witness }) => witness.lastEventId !== ''), 'all to be connected')

    const rounds = report.scale(30)
    for (let round = 0; round < rounds; round += 1) {
      const bad = Object.keys(OPTIONS).map(
        (path) => new StreamClient({ port: to.port, path, headers: 'Origin: https://a.example\r\n' }),
      )
      report.figures.cases += bad.length
      for (let n = 0; n < 40; n += 1) {
        void to.publish(500)
        if (report.chance(0.1)) await refused(report, to.hub)
        await turns(report.between(0, 2))
      }
      for (const client of bad) if (report.chance(0.5)) client.kill()
      await turns(2)
      for (const client of bad) client.reset()
      await Promise.all(bad.map((client) => client.ended()))
    }
    for (const { client } of readers)
      report.check(client?.closed === false, 'a reader beside them was closed')
    const whole = (): boolean => readers.every(({ witness }) => witness.last === to.published)
    await eventually(whole, 'the others to have everything').catch(() => {})
    for (const { witness } of readers) {
      witness.finish(to.published)
      report.check(witness.gaps.length === 0, 'a reader beside them was told of a gap')
    }
    for (const during of ['filter', 'variant', 'key', 'cors', 'publish', 'pipe']) {
      report.check((reported.get(during) ?? 0) > 0, `no failure during ${during} was reported`)
    }
  },
} satisfies Scenario

/** What the bad connections are opened with, by their path. */
const OPTIONS: Record<string, (hub: Hub) => Parameters<Hub['connect']>[2]> = {
  '/filter': () => ({ filter: fail }),
  '/filter-nonsense': () => ({
    filter: (() => Promise.reject(new Error(CAUSE)).catch(() => {})) as unknown as () => boolean,
  }),
  '/filter-slow': () => ({
    filter: () => {
      const end = performance.now() + 0.05
      while (performance.now() < end);
      return true
    },
  }),
  '/filter-closes': (hub) => ({
    filter: () => {
      // Asks about everybody in the midst of a write.
      hub.connections()
      hub.stats()
      return false
    },
  }),
  '/variant': () => ({ variant: 'throws' }),
  '/variant-hangs': () => ({ variant: 'hangs' }),
  '/key': () => ({ key: fail }),
  '/cors': () => ({ cors: { origin: fail } }),
  '/listen': () => ({}),
  '/pipe': () => ({}),
}

/** Everything that an application may do to a connection at a bad moment. */
function provoke(connection: Connection): void {
  connection.signal.addEventListener('abort', () => {
    connection.send({ data: 'too late' })
    connection.close()
    connection.unsubscribe(CHANNEL)
    void connection.ready()
  })
  void connection.closed.then(() => connection.close())
}

async function pipeBadly(report: Report, connection: Connection): Promise<void> {
  const never = new Promise<never>(() => {})
  const sources: (() => AsyncIterable<string>)[] = [
    async function* () {
      yield 'one'
      fail()
    },
    async function* () {
      yield 'one'
      await never
    },
    // Neither asked for more nor stopped does it ever answer well.
    () => ({ [Symbol.asyncIterator]: () => ({ next: () => never, return: fail }) }),
    () => ({
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error(CAUSE)), return: () => never }),
    }),
    () => ({ [Symbol.asyncIterator]: fail }),
    () => ({ [Symbol.asyncIterator]: () => ({ next: fail }) }),
    () => ({
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ value: Symbol('no event') as unknown as string }),
      }),
    }),
  ]
  // All at once: each has its own end, and the client's departure is the end of all.
  const ends = sources.map((source) =>
    connection.pipe(source()).then(
      () => 'ended',
      () => 'failed',
    ),
  )
  await within(Promise.all(ends), 'pipes of sources that hang to end with their client').catch(
    (error: Error) => report.fail(error.message),
  )
}

/** Events that cannot be published: each is refused to who publishes it, and takes no place in the sequence. */
async function refused(report: Report, hub: Hub): Promise<void> {
  const circle: Record<string, unknown> = {}
  circle.self = circle
  const getter = {
    get data(): string {
      return fail()
    },
  }
  const bad: unknown[] = [
    { data: circle },
    { data: 1n },
    { data: { toJSON: fail } },
    { data: ['throw'], id: 'a\nb' },
    { event: 'a\r\nb', data: '' },
    { data: 'x'.repeat(1_100_000) },
    { data: dataOf(1, 0), retry: -1 },
    getter,
    null,
    7,
  ]
  const event = report.pick(bad) as EventInput // that it is none is the point
  const outcome = await hub.publish(CHANNEL, event).then(
    () => 'taken',
    () => 'refused',
  )
  report.check(outcome === 'refused', `${String(event)} was published`)
}

/** Listeners that throw are reported on the console, which is not what this run has to say. */
function mute(): () => void {
  const { error } = console
  console.error = (...args: unknown[]) => {
    if (!String(args[1]).includes(CAUSE)) error(...args)
  }
  return () => {
    console.error = error
  }
}

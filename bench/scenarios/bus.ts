// bus: several nodes that share one log, over each engine, while nodes are killed.

import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createHub } from '../../src/index.ts'
import { seeded } from '../../test/support/seeded.ts'
import { busOf, ENGINES, type Engine, installed, startEngine, type Where } from '../bus/engines.ts'
import { UsageError } from '../options.ts'
import type { Metrics } from '../result.ts'
import { percentiles } from '../statistics.ts'
import { interleaved, type Scenario } from './scenario.ts'

interface BusLoad {
  nodes: number
  clients: number
  rate: number
  seconds: number
  kills: number
  seed: number
}

interface Report {
  open: number
  received: number
  doubled: number
  lost: number
  gaps: number
  reconnects: number
  least: number
  most: number
  latencies: number[]
}

export const bus: Scenario = {
  name: 'bus',
  summary: 'several nodes on one log, over each engine, while nodes are killed',
  method:
    'Nodes of one hub each, in processes of their own, share a log over the engine; the clients are spread over them, and a process that serves nobody publishes at an even rate. A node is killed (SIGKILL) now and then, at moments drawn from the seed, and replaced; its clients come back at another with their last event ID. Each client checks its own sequence: lost and doubled must be 0, and a gap is counted. Latency is from the publish to the dispatch at the client, by one clock; it includes the clients that were away. appendsPerSecond is measured before, with 256 publishes under way; cpuMicrosPerHeard is what one of the nodes, which has no reader then, used for each. Everything shares this machine.',
  options: {
    engines: { value: 'NAME,…', default: ENGINES.join(','), help: `of ${ENGINES.join(', ')}` },
    nodes: { value: 'N', default: '3', help: 'nodes' },
    clients: { value: 'N', default: '3000', help: 'clients' },
    rate: { value: 'N', default: '20', help: 'events per second' },
    seconds: { value: 'N', default: '15', help: 'how long' },
    kills: { value: 'N', default: '3', help: 'nodes killed meanwhile' },
    seed: { value: 'N', default: '1', help: 'of the kills' },
    rounds: { value: 'N', default: '1', help: 'how often each' },
  },
  async run(options) {
    const load: BusLoad = {
      nodes: options.number('nodes'),
      clients: options.number('clients'),
      rate: options.number('rate'),
      seconds: options.number('seconds'),
      kills: options.number('kills'),
      seed: options.number('seed'),
    }
    const notes: string[] = []
    const engines = options
      .text('engines')
      .split(',')
      .map(engineOf)
      .filter((engine) => {
        if (installed(engine)) return true
        notes.push(`${engine} is not installed here, and was left out.`)
        return false
      })
    const cases = engines.map((engine) => ({
      peer: engine,
      params: { nodes: load.nodes, clients: load.clients, eventsPerSecond: load.rate, kills: load.kills },
      measure: () => measureBus(engine, load),
    }))
    return { runs: await interleaved('bus', options.number('rounds'), cases), notes }
  },
}

function engineOf(name: string): Engine {
  const found = ENGINES.find((engine) => engine === name)
  if (!found) throw new UsageError(`There is no engine "${name}"; the engines are ${ENGINES.join(', ')}.`)
  return found
}

const NODE = fileURLToPath(new URL('../bus/node.ts', import.meta.url))
const CLIENTS = fileURLToPath(new URL('../bus/clients.ts', import.meta.url))

export async function measureBus(engine: Engine, load: BusLoad): Promise<Metrics> {
  const random = seeded(load.seed)
  const { where, end } = await startEngine(engine)
  const children = new Set<ChildProcess>()
  const start = (file: string, ...args: string[]): ChildProcess => {
    const child = fork(file, args, { execArgv: process.execArgv })
    children.add(child)
    return child
  }
  const own = await busOf(where)
  const hub = createHub({ bus: own.bus, busTimeout: 10_000 })
  try {
    await hub.ready()
    const nodes = await Promise.all(Array.from({ length: load.nodes }, () => startNode(start, where)))
    const [first] = nodes
    if (!first) throw new UsageError('nodes must be 1 or more')
    const idle = await cpuOf(first.child)
    const stored = await throughput((n) => hub.publish('warm-up', { data: `${n} ${'x'.repeat(100)}` }))
    const cpuMicrosPerHeard = ((await cpuOf(first.child)) - idle) / stored.count
    const clients = start(CLIENTS)
    const ports = (): number[] => nodes.map(({ port }) => port)
    clients.send({ do: 'open', count: load.clients, ports: ports(), seed: load.seed })
    await untilReport(clients, ({ open }) => open === load.clients)

    const total = load.rate * load.seconds
    const kills = Array.from({ length: load.kills }, () => Math.floor((0.1 + 0.7 * random()) * total)).sort(
      (a, b) => a - b,
    )
    const started = performance.now()
    let failed = 0
    for (let n = 1; n <= total; n += 1) {
      // Open loop: the next is due when it is due, whatever became of the last.
      const due = started + (n * 1_000) / load.rate
      const wait = due - performance.now()
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
      hub
        .publish('load', { data: `${n} ${Number(process.hrtime.bigint()) / 1e6} ${'x'.repeat(100)}` })
        .catch(() => {
          failed += 1
        })
      if (n === kills[0]) {
        kills.shift()
        const victim = Math.floor(random() * nodes.length)
        nodes[victim]?.child.kill('SIGKILL')
        nodes.splice(victim, 1)
        clients.send({ do: 'ports', ports: ports() })
        void startNode(start, where).then((node) => {
          nodes.push(node)
          clients.send({ do: 'ports', ports: ports() })
        })
      }
    }
    const report = await untilReport(clients, ({ least }) => least >= total - failed)
    const { p50, p99 } = percentiles(Float64Array.from(report.latencies))
    return {
      appendsPerSecond: stored.perSecond,
      cpuMicrosPerHeard,
      deliveriesPerSecond: load.clients * load.rate,
      latencyP50Ms: p50,
      latencyP99Ms: p99,
      reconnects: report.reconnects,
      gaps: report.gaps,
      lost: report.lost,
      doubled: report.doubled,
      failedPublishes: failed,
    }
  } finally {
    for (const child of children) child.kill('SIGKILL')
    await hub.close({ within: 0 })
    await own.end()
    await end()
  }
}

async function throughput(
  publish: (n: number) => Promise<unknown>,
): Promise<{ count: number; perSecond: number }> {
  const end = performance.now() + 2_000
  let done = 0
  const start = performance.now()
  await Promise.all(
    Array.from({ length: 256 }, async () => {
      while (performance.now() < end) {
        done += 1
        await publish(done)
      }
    }),
  )
  return { count: done, perSecond: done / ((performance.now() - start) / 1_000) }
}

/** Microseconds of CPU that a node has used. */
async function cpuOf(node: ChildProcess): Promise<number> {
  // What it has still to hear is heard first: the answer stands in the same line.
  await new Promise((resolve) => setTimeout(resolve, 500))
  return await new Promise((resolve) => {
    node.once('message', (message) => resolve((message as { cpu: number }).cpu)) // it answers nothing else
    node.send('cpu')
  })
}

async function startNode(
  start: (file: string, ...args: string[]) => ChildProcess,
  where: Where,
): Promise<{ child: ChildProcess; port: number }> {
  const child = start(NODE, JSON.stringify(where))
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve((message as { port: number }).port)) // what it sends first
    child.once('exit', (code) => reject(new Error(`a node ended with ${code}`)))
  })
  return { child, port }
}

/** Asks the clients until it holds; gives up after a minute, with what they say then. */
async function untilReport(clients: ChildProcess, done: (report: Report) => boolean): Promise<Report> {
  const latencies: number[] = []
  const end = performance.now() + 60_000
  for (;;) {
    const report = await new Promise<Report>((resolve) => {
      clients.once('message', (message) => resolve(message as Report)) // it answers nothing else
      clients.send({ do: 'report' })
    })
    for (const one of report.latencies) latencies.push(one)
    if (done(report)) return { ...report, latencies }
    if (performance.now() > end)
      throw new Error(`gave up: ${JSON.stringify({ ...report, latencies: latencies.length })}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

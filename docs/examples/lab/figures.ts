// This machine's, this process's and this hub's live figures, once a second. Everything is measured; nothing is made up.

import { cpus, freemem, totalmem } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Channel, Hub } from '../../../src/index.ts'

const PERIOD = 1_000
/** How often the event loop's delay is sampled, in milliseconds. */
const RESOLUTION = 10

export interface Figures {
  /** Counts the figures, so that a page can prove to itself that a resume has left no hole. */
  n: number
  /** When they were taken, in milliseconds since 1970. */
  at: number
  /** `machine` in percent of all cores, `process` in percent of one. */
  cpu: { machine: number; process: number }
  /** Bytes. */
  memory: { rss: number; heap: number; machineUsed: number; machineTotal: number }
  /** Milliseconds by which the event loop was late during the last second. */
  loop: { p50: number; p99: number }
  connections: number
  /** Events written to connections, and their bytes, each per second. */
  deliveries: number
  bytes: number
}

/** Publishes figures to `channel` until it is stopped. */
export function startFigures(hub: Hub, channel: Channel): () => void {
  const loop = monitorEventLoopDelay({ resolution: RESOLUTION })
  loop.enable()
  let before = take(hub)
  let n = 0
  const timer = setInterval(() => {
    const now = take(hub)
    n += 1
    channel.publish({ event: 'figures', data: compare(n, before, now, loop) })
    loop.reset()
    before = now
  }, PERIOD)
  return () => {
    clearInterval(timer)
    loop.disable()
  }
}

/** Counters at one moment; figures are the difference of two. */
function take(hub: Hub) {
  let idle = 0
  let total = 0
  for (const { times } of cpus()) {
    idle += times.idle
    total += times.user + times.nice + times.sys + times.idle + times.irq
  }
  const { user, system } = process.cpuUsage()
  return { time: performance.now(), idle, total, process: (user + system) / 1_000, stats: hub.stats() }
}

type Moment = ReturnType<typeof take>

function compare(n: number, before: Moment, now: Moment, loop: { percentile(of: number): number }): Figures {
  const elapsed = now.time - before.time
  const perSecond = (count: number): number => Math.round((count * 1_000) / elapsed)
  const ticks = now.total - before.total
  const { rss, heapUsed } = process.memoryUsage()
  const machineTotal = totalmem()
  return {
    n,
    at: Date.now(),
    cpu: {
      // A container may hide the machine's counters; then they stand still.
      machine: ticks > 0 ? round(100 * (1 - (now.idle - before.idle) / ticks)) : 0,
      process: round((100 * (now.process - before.process)) / elapsed),
    },
    memory: { rss, heap: heapUsed, machineUsed: machineTotal - freemem(), machineTotal },
    loop: { p50: late(loop.percentile(50)), p99: late(loop.percentile(99)) },
    connections: now.stats.connections,
    deliveries: perSecond(now.stats.delivered - before.stats.delivered),
    bytes: perSecond(now.stats.bytes - before.stats.bytes),
  }
}

/** The histogram holds the time between two samples, in nanoseconds; what was asked for is no delay. */
function late(nanoseconds: number): number {
  const milliseconds = nanoseconds / 1e6 - RESOLUTION
  return milliseconds > 0 ? round(milliseconds) : 0
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

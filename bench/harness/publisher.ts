// Publishes on a peer: as fast as it goes in windows, or paced. Runs in the server process, so that what it measures of
// the process is the server.

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { EventMaker, nowMicros } from '../event.ts'
import type { Peer } from '../peers/peer.ts'
import type { Acks } from './acks.ts'

export interface FanOutOrder {
  /** Events published at once. */
  burst: number
  size: number
  /** Bursts before every client must have everything. */
  turns: number
  warmSeconds: number
  seconds: number
  connections: number
  loadProcesses: number
  /**
   * What the next burst waits for. `written`: that the one before was handed to every socket, so that each costs a
   * write of its own. `turn`: nothing but the next turn of the event loop, whatever is still under way.
   */
  pace: 'written' | 'turn'
}

export interface FanOutResult {
  published: number
  deliveries: number
  deliveriesPerSecond: number
  cpuMicrosPerDelivery: number
  cpuShare: number
}

export interface PacedOrder {
  rate: number
  size: number
  seconds: number
}

export interface PacedResult {
  published: number
  loopDelayP50Ms: number
  loopDelayP99Ms: number
  loopDelayMaxMs: number
  cpuShare: number
  /** How late the publisher was itself, at the worst: the time is counted from when it was due. */
  latestMs: number
}

const ACK_WITHIN = 30_000

export async function fanOut(peer: Peer, acks: Acks, order: FanOutOrder): Promise<FanOutResult> {
  const { burst, turns, connections, loadProcesses } = order
  const maker = new EventMaker(order.size)
  let published = 0
  const window = async (): Promise<void> => {
    for (let turn = 0; turn < turns; turn += 1) {
      peer.publish(maker.burst(burst))
      published += burst
      if (order.pace === 'written') await peer.settled?.()
      await nextTurn()
    }
    await acks.next(loadProcesses, ACK_WITHIN)
  }
  await during(order.warmSeconds, window)

  const before = { published, cpu: cpuMicros(peer), at: nowMicros() }
  await during(order.seconds, window)
  const elapsed = nowMicros() - before.at
  const cpu = cpuMicros(peer) - before.cpu
  const deliveries = (published - before.published) * connections
  return {
    published,
    deliveries,
    deliveriesPerSecond: deliveries / (elapsed / 1e6),
    cpuMicrosPerDelivery: cpu / deliveries,
    cpuShare: cpu / elapsed,
  }
}

/**
 * Open loop: an event is due at its time whether or not the one before has left, and carries the time at which it was
 * due, so that a server that is late cannot hide it.
 */
export async function paced(peer: Peer, { rate, size, seconds }: PacedOrder): Promise<PacedResult> {
  const maker = new EventMaker(size)
  const interval = 1e6 / rate
  const total = Math.round(rate * seconds)
  const start = nowMicros() + interval
  const before = { cpu: cpuMicros(peer), at: nowMicros() }
  // Its samples include the interval of one millisecond at which it looks.
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  let latest = 0
  for (let published = 0; published < total; published += 1) {
    const due = start + published * interval
    await until(due)
    latest = Math.max(latest, nowMicros() - due)
    peer.publish([maker.make(due)])
  }
  await until(start + total * interval)
  delay.disable()
  return {
    published: total,
    loopDelayP50Ms: delay.percentile(50) / 1e6,
    loopDelayP99Ms: delay.percentile(99) / 1e6,
    loopDelayMaxMs: delay.max / 1e6,
    cpuShare: (cpuMicros(peer) - before.cpu) / (nowMicros() - before.at),
    latestMs: latest / 1_000,
  }
}

/** Publishes `count` events and waits until they were handed over. */
export async function publish(peer: Peer, count: number, size: number): Promise<void> {
  const maker = new EventMaker(size)
  for (let n = 0; n < count; n += 1) {
    peer.publish([maker.make()])
    await peer.settled?.()
    await nextTurn()
  }
}

export function cpuMicros(peer: Peer): number {
  if (peer.cpuMicros) return peer.cpuMicros()
  const { user, system } = process.cpuUsage()
  return user + system
}

async function during(seconds: number, work: () => Promise<void>): Promise<void> {
  const end = nowMicros() + seconds * 1e6
  while (nowMicros() < end) await work()
}

async function until(micros: number): Promise<void> {
  const left = micros - nowMicros()
  if (left > 0) await new Promise((resolve) => setTimeout(resolve, left / 1_000))
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

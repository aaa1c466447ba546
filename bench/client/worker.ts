// A load process: a crowd of streams, counted together. Forked by the harness; it decides nothing.

import { Acknowledger } from '../harness/acks.ts'
import { serve } from '../harness/remote.ts'
import { Samples } from '../statistics.ts'
import { Stream, type StreamTarget } from './stream.ts'

export interface ConnectOrder {
  port: number
  path: string
  count: number
  /** How many may be on their way at once. */
  concurrency: number
  addresses: string[]
  lastEventId?: string
  /** They stop reading as soon as they are open. */
  stalled?: boolean
}

const streams: Stream[] = []
const latencies = new Samples()
const lost: string[] = []
let timing = false
let acknowledger: Acknowledger | undefined

const host = {
  get timing() {
    return timing
  },
  counted: (events: number) => acknowledger?.counted(events),
  late: (micros: number) => latencies.add(micros / 1_000),
  lost(stream: Stream, reason: string) {
    lost.push(reason)
    const place = streams.indexOf(stream)
    if (place >= 0) streams.splice(place, 1)
  },
}

const operations = {
  acknowledge({ port }: { port: number }) {
    acknowledger?.close()
    acknowledger = new Acknowledger(port)
  },
  expect({ events }: { events: number }) {
    acknowledger?.expect(events)
    for (const stream of streams) stream.events = 0
  },
  /** Opens streams; settles with the times to their first bytes once all have answered. */
  async connect(order: ConnectOrder): Promise<Float64Array> {
    const firstBytes = new Samples()
    const already = lost.length
    let begun = 0
    const lane = async (): Promise<void> => {
      while (begun < order.count) {
        begun += 1
        firstBytes.add((await open(order, begun)) / 1_000)
      }
    }
    await Promise.race([
      Promise.all(Array.from({ length: Math.min(order.concurrency, order.count) }, lane)),
      new Promise((_, reject) => {
        const watch = setInterval(() => {
          if (lost.length === already) return
          reject(new Error(`${lost.length - already} clients were lost while connecting: ${lost[already]}`))
        }, 50)
        watch.unref()
        setTimeout(() => clearInterval(watch), 60_000).unref()
      }),
    ])
    return firstBytes.take()
  },
  /** Leaves with the last that came. */
  leave({ count }: { count: number }) {
    for (const stream of streams.splice(Math.max(0, streams.length - count))) stream.leave()
  },
  time({ on }: { on: boolean }): Float64Array {
    timing = on
    return latencies.take()
  },
  counts(_: undefined) {
    let total = 0
    let least = Number.POSITIVE_INFINITY
    let most = 0
    for (const { events } of streams) {
      total += events
      least = Math.min(least, events)
      most = Math.max(most, events)
    }
    return { clients: streams.length, total, least, most, lost: [...lost] }
  },
}

export type WorkerOperations = typeof operations

function open(order: ConnectOrder, number: number): Promise<number> {
  const { port, path, addresses, lastEventId, stalled } = order
  const target: StreamTarget = { port, path, localAddress: addresses[number % addresses.length], lastEventId }
  return new Promise((resolve) => {
    const stream = new Stream(host, target, (micros) => {
      if (stalled) stream.stall()
      resolve(micros)
    })
    streams.push(stream)
  })
}

serve(operations)

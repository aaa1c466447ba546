// Makes a stall visible. A reader that stops reading is noticed only once the kernel's buffers are full, which on
// loopback is some 4 MB for each connection: at a price feed's pace, an hour. So those who stall are given a channel
// that fills their buffers within seconds. It stops by itself when no reader of it is left, or in any case after a time.

import type { Channel, Connection } from '../../../src/index.ts'

const PERIOD = 100
const LONGEST = 45_000
/** Fewer readers are filled faster, for about the same work: as many events a time as make this many deliveries. */
const DELIVERIES = 100
const MOST_AT_A_TIME = 8
const PADDING = '.'.repeat(65_536)

export interface Firehose {
  readonly running: boolean
  add(connections: readonly Connection[]): void
  remove(connections: readonly Connection[]): void
  stop(): void
}

export function createFirehose(channel: Channel, onStop: () => void): Firehose {
  const readers = new Set<Connection>()
  let timer: NodeJS.Timeout | undefined
  let until = 0

  function pour(): void {
    if (channel.size === 0 || performance.now() > until) {
      stop()
      return
    }
    const events = Math.min(MOST_AT_A_TIME, Math.ceil(DELIVERIES / channel.size))
    for (let one = 0; one < events; one += 1) channel.publish({ event: 'load', data: PADDING })
  }

  function stop(): void {
    if (!timer) return
    clearInterval(timer)
    timer = undefined
    for (const reader of readers) reader.unsubscribe(channel.name)
    readers.clear()
    onStop()
  }

  return {
    get running() {
      return timer !== undefined
    },
    add(connections) {
      for (const connection of connections) {
        if (connection.signal.aborted) continue
        connection.subscribe(channel.name)
        readers.add(connection)
      }
      until = performance.now() + LONGEST
      timer ??= setInterval(pour, PERIOD)
    },
    remove(connections) {
      for (const connection of connections) {
        connection.unsubscribe(channel.name)
        readers.delete(connection)
      }
    },
    stop,
  }
}

// Forty pages that behave as an EventSource does: they come back by themselves after every end, with their last event
// ID. With a watchdog they start anew when they hear nothing.

import { type ClientRequest, request } from 'node:http'
import { createDecoder } from '../../../src/event-stream.ts'

const VISITORS = 40
/** They come over this time, or all would be cut at the same moment, and prove no more than one. */
const OVER = 4_000
const RETRY = 400

export interface Visitors {
  readonly open: number
  /** @param watchdog milliseconds without a byte after which a page starts anew */
  start(watchdog: number | undefined): void
  stop(): void
}

/** @param port where they find the server, on loopback */
export function createVisitors(port: () => number): Visitors {
  const requests = new Set<ClientRequest>()
  const timers = new Set<NodeJS.Timeout>()
  let open = 0
  let life = 0

  function later(ms: number, callback: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      timers.delete(timer)
      callback()
    }, ms)
    timers.add(timer)
    return timer
  }

  function visit(lastEventId: string, watchdog: number | undefined): void {
    const mine = life
    let id = lastEventId
    let over = false
    let opened = false
    let dog: NodeJS.Timeout | undefined
    const headers: Record<string, string> = { Accept: 'text/event-stream' }
    if (lastEventId !== '') headers['Last-Event-ID'] = lastEventId
    const req = request({ host: '127.0.0.1', port: port(), agent: false, headers })
    requests.add(req)
    const again = (next: string): void => {
      if (over) return
      over = true
      if (opened) open -= 1
      clearTimeout(dog)
      requests.delete(req)
      req.destroy()
      if (mine === life) later(RETRY, () => visit(next, watchdog))
    }
    const heard = (): void => {
      if (watchdog === undefined || over) return
      clearTimeout(dog)
      dog = later(watchdog, () => again(''))
    }
    req.on('error', () => again(id))
    req.on('response', (response) => {
      opened = true
      open += 1
      const decoder = createDecoder(() => {}, { lastEventId })
      heard()
      response.on('data', (bytes: Buffer) => {
        heard()
        decoder.write(bytes)
        id = decoder.lastEventId
      })
      response.on('error', () => {})
      response.on('close', () => again(id))
    })
    heard()
    req.end()
  }

  return {
    get open() {
      return open
    },
    start(watchdog) {
      for (let n = 0; n < VISITORS; n += 1) later((n * OVER) / VISITORS, () => visit('', watchdog))
    },
    stop() {
      life += 1
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
      for (const req of requests) req.destroy()
    },
  }
}

// Many clients that behave as an EventSource does: they come back by themselves after every end, with their last
// event ID, until they are told to stop. With a watchdog they are pages that start anew when nothing arrives.

import { type ClientRequest, request } from 'node:http'
import type { TestContext } from 'node:test'
import { createDecoder } from '../../src/event-stream.ts'

export interface CrowdOptions {
  size: number
  /** Over how many milliseconds they open for the first time. */
  over: number
  /** Milliseconds from an end to the next request. Default 100. */
  retry?: number
  /** Gives up, and starts anew without a last event ID, after so many milliseconds without a byte. */
  watchdog?: number
  /** Turns away as soon as the response is there. */
  rejects?: boolean
  headers?: Record<string, string>
}

/** Opens the clients; they go when the test ends, or when the returned function is called. */
export function crowd(t: Pick<TestContext, 'after'>, url: string, options: CrowdOptions): () => void {
  const timers = new Set<NodeJS.Timeout>()
  const requests = new Set<ClientRequest>()
  let stopped = false
  const later = (ms: number, callback: () => void): NodeJS.Timeout => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      if (!stopped) callback()
    }, ms)
    timers.add(timer)
    return timer
  }

  function open(lastEventId: string): void {
    let id = lastEventId
    const headers: Record<string, string> = { ...options.headers }
    if (lastEventId !== '') headers['Last-Event-ID'] = lastEventId
    const req = request(url, { agent: false, headers })
    requests.add(req)
    let over = false
    let dog: NodeJS.Timeout | undefined
    const restart = (next: string): void => {
      if (over) return
      over = true
      clearTimeout(dog)
      requests.delete(req)
      req.destroy()
      later(options.retry ?? 100, () => open(next))
    }
    const heard = (): void => {
      if (options.watchdog === undefined || over) return
      clearTimeout(dog)
      dog = later(options.watchdog, () => restart(''))
    }
    req.on('error', () => restart(id))
    req.on('response', (response) => {
      if (options.rejects) return restart('')
      const decoder = createDecoder(() => {}, { lastEventId })
      heard()
      response.on('data', (bytes: Buffer) => {
        heard()
        decoder.write(bytes)
        id = decoder.lastEventId
      })
      response.on('error', () => {})
      response.on('close', () => restart(id))
    })
    heard()
    req.end()
  }

  for (let n = 0; n < options.size; n += 1) later((n * options.over) / options.size, () => open(''))
  const stop = (): void => {
    stopped = true
    for (const timer of timers) clearTimeout(timer)
    for (const req of requests) req.destroy()
  }
  t.after(stop)
  return stop
}

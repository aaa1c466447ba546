// For tests of the client: servers that answer as a test says, and waits for a stream that never last for ever.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { TestContext } from 'node:test'
import { type EventStreamOptions, streamSettings } from '../../src/client/options.ts'
import { Stream } from '../../src/client/stream.ts'
import type { EventStream, StreamEvent } from '../../src/client.ts'
import { FakeClock } from './fake-clock.ts'
import { listen } from './server.ts'

const PATIENCE = 10_000

/** `promise`, or a failure after ten seconds. */
export async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`gave up after ${PATIENCE} ms waiting for ${what}`)), PATIENCE)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** The next so many events; fewer where the stream ends. */
export async function take<Events>(
  stream: EventStream<Events>,
  count: number,
): Promise<StreamEvent<Events>[]> {
  const iterator = stream[Symbol.asyncIterator]()
  const events: StreamEvent<Events>[] = []
  while (events.length < count) {
    const { done, value } = await within(iterator.next(), `event ${events.length + 1} of ${count}`)
    if (done) break
    events.push(value)
  }
  return events
}

/** All that comes until the stream ends. */
export const all = <Events>(stream: EventStream<Events>): Promise<StreamEvent<Events>[]> =>
  take(stream, Infinity)

export type Answer = (req: IncomingMessage, res: ServerResponse, n: number) => void

export interface Answering {
  url: string
  port: number
  server: Server
  /** What was asked, in order. */
  requests: IncomingMessage[]
}

/** A server that answers its n-th request, counted from 0, as told. Goes away with its test. */
export async function answering(t: Pick<TestContext, 'after'>, answer: Answer): Promise<Answering> {
  const requests: IncomingMessage[] = []
  const server = createServer((req, res) => {
    requests.push(req)
    res.on('error', () => {})
    answer(req, res, requests.length - 1)
  })
  const port = await listen(server)
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${port}/`, port, server, requests }
}

/** Begins an event stream with `text`, and leaves it open. */
export function stream(res: ServerResponse, text = ':\n\n'): void {
  res.writeHead(200, { 'Content-Type': 'text/event-stream' })
  res.write(text)
}

export interface Turned<Events> {
  stream: Stream<Events>
  clock: FakeClock
}

/** A stream whose clock is turned by hand. It is closed with its test. */
export function turned<Events = Record<string, unknown>>(
  t: Pick<TestContext, 'after'>,
  url: string,
  options: EventStreamOptions = {},
  { random = () => 0.5, today = () => 0 }: { random?: () => number; today?: () => number } = {},
): Turned<Events> {
  const clock = new FakeClock()
  const opened = new Stream<Events>(streamSettings(url, options), { clock, random, today })
  t.after(() => opened.close())
  return { stream: opened, clock }
}

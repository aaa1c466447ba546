// What is attacked: a hub behind a real server on loopback, in this process, with a publisher of numbered events.

import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import type { HubOptions } from '../../src/index.ts'
import { createHub, type ErrorContext, type Hub } from '../../src/index.ts'
import { dataOf } from './events.ts'
import { Ledger } from './leaks.ts'
import type { Report } from './scenario.ts'
import { eventually, within } from './wait.ts'

export const CHANNEL = 'events'

export interface TargetOptions {
  hub?: HubOptions
  server?: ServerOptions
  host?: string
  /** Default: a stream of the one channel. */
  handler?: (hub: Hub, req: IncomingMessage, res: ServerResponse) => void
  /** Which contained failures are part of the scenario; any other breaks a promise. */
  expected?: (error: unknown, context: ErrorContext) => boolean
}

export interface Target {
  readonly hub: Hub
  readonly server: Server
  readonly port: number
  readonly ledger: Ledger
  /** The number of the newest event. */
  published: number
  /** Publishes the next numbered event. */
  publish(most?: number): Promise<string>
  /** Closes hub and server, and holds the books against each other. Done by itself after the scenario. */
  close(): Promise<void>
}

export async function target(report: Report, options: TargetOptions = {}): Promise<Target> {
  const hub = createHub(options.hub)
  const ledger = new Ledger(hub)
  hub.on('error', (error, context) => {
    if (!options.expected?.(error, context))
      report.fail(`a failure during ${context.during}: ${String(error)}`)
  })
  const handler = options.handler ?? ((hub, req, res) => void hub.connect(req, res, { channels: [CHANNEL] }))
  const server = createServer(options.server ?? {}, (req, res) => handler(hub, req, res))
  await new Promise<void>((resolve) => {
    server.listen({ port: 0, host: options.host ?? '127.0.0.1', backlog: 4_096 }, resolve)
  })
  const { port } = server.address() as AddressInfo // it listens on TCP
  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    // Afterwards there are no channels any more, whoever is still in their lists.
    const { connections, channels } = hub.stats()
    const read = Object.keys(channels)
    report.check(
      connections > 0 || read.length === 0,
      `channels without connections are read: ${read.join()}`,
    )
    await within(hub.close({ within: 0 }), 'hub.close({ within: 0 })')
    for (const line of ledger.settle()) report.fail(line)
    server.closeAllConnections()
    await within(new Promise((resolve) => server.close(resolve)), 'the server to close')
    for (const name of ['request', 'connection', 'clientError']) {
      const most = name === 'clientError' ? 0 : 1
      report.check(server.listenerCount(name) <= most, `listeners of ${name} were added to the server`)
    }
  }
  const made: Target = {
    hub,
    server,
    port,
    ledger,
    published: 0,
    publish(most = 0) {
      made.published += 1
      report.figures.sent += 1
      return hub.publish(CHANNEL, { data: dataOf(made.published, most) })
    },
    close() {
      closing ??= close()
      return closing
    },
  }
  report.after(() => made.close())
  return made
}

/** Settles when the hub holds this many connections. */
export function connected(to: Target, count: number): Promise<void> {
  return eventually(() => to.hub.stats().connections === count, `${count} connections`)
}

// A Sluice server in a process of its own, so that it can really be killed: it publishes numbers, and tells its parent
// when each request came. It listens when told, so that it can be made ready while another still runs.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createHub } from '../../src/index.ts'

/** What it tells: where it listens, and when a request came, in milliseconds since it listened. */
export type NumbersReport =
  | { is: 'ready' }
  | { is: 'listening'; port: number }
  | { is: 'request'; at: number; lastEventId: string }

/** What it is told. */
export type NumbersCommand = { do: 'listen'; port: number } | { do: 'publish'; numbers: number[] }

const tell = (report: NumbersReport): void => void process.send?.(report)

const hub = createHub()
let since = 0
const server = createServer((req, res) => {
  const lastEventId = String(req.headers['last-event-id'] ?? '')
  tell({ is: 'request', at: performance.now() - since, lastEventId })
  hub.connect(req, res, { channels: ['numbers'] })
})
process.on('message', (command: NumbersCommand) => {
  if (command.do === 'publish') {
    for (const n of command.numbers) hub.publish('numbers', { event: 'n', data: n })
    return
  }
  server.listen({ port: command.port, host: '127.0.0.1', backlog: 4_096 }, () => {
    since = performance.now()
    tell({ is: 'listening', port: (server.address() as AddressInfo).port })
  })
})
tell({ is: 'ready' })
process.on('disconnect', () => process.exit())

// A trial: clients of a hub of its own, behind a proxy that does one thing wrong, until the hub's diagnosis has found out
// what; and then the cure that it names.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Channel, createHub, type Finding, type Hub, type HubOptions } from '../../../src/index.ts'
import { createProxy, type Fault } from './proxy.ts'
import { createVisitors } from './visitors.ts'

const PERIOD = 1_000
const EVENT_PERIOD = 700

/** What the page is told once a second while a trial runs, and when that ends. */
export interface TrialState {
  fault: Fault
  /** What was set against it: `heartbeat: 2500` for instance. */
  cured: string | null
  clients: number
  opened: number
  closedByPeer: number
  seconds: number
  findings: Finding[]
}

export interface Trial {
  /** Begins anew with that fault in front; `'none'` ends it. */
  begin(fault: Fault): Promise<void>
  /** Applies what the first finding asks for. Says what that was; `null` when there is nothing to cure. */
  cure(): Promise<string | null>
  stop(): Promise<void>
}

export function createTrial(channel: Channel): Trial {
  let hub: Hub | undefined
  let fault: Fault = 'none'
  let cured: string | null = null
  let began = 0
  let timers: NodeJS.Timeout[] = []
  const server = createServer((req, res) => {
    if (hub) hub.connect(req, res, { channels: ['trial'], framing: 'chunked' })
    else res.writeHead(503).end()
  })
  const proxy = createProxy(() => (server.address() as AddressInfo).port) // it listens before the proxy does
  const visitors = createVisitors(() => (proxy.server.address() as AddressInfo).port)

  function tell(): void {
    const { opened = 0, closes } = hub?.stats() ?? {}
    const state: TrialState = {
      fault,
      cured,
      clients: visitors.open,
      opened,
      closedByPeer: closes?.client ?? 0,
      seconds: Math.round((performance.now() - began) / 1_000),
      findings: hub?.diagnose() ?? [],
    }
    channel.publish({ event: 'trial', data: state })
  }

  async function end(): Promise<void> {
    for (const timer of timers) clearInterval(timer)
    timers = []
    visitors.stop()
    const old = hub
    hub = undefined
    await old?.close({ within: 0 })
  }

  /** Where a fault shows: silence, or its opposite. */
  function publishes(): boolean {
    return fault === 'age' || fault === 'buffer'
  }

  async function start(options: HubOptions): Promise<void> {
    await end()
    if (!server.listening) {
      await new Promise<void>((resolve) => {
        server.listen(0, '127.0.0.1', resolve)
      })
      await proxy.listen()
    }
    began = performance.now()
    const fresh = createHub(options)
    hub = fresh
    // Pages that are left without a word for four seconds try again, as a watchdog of the application's makes them.
    visitors.start(fault === 'buffer' ? 4_000 : undefined)
    timers.push(setInterval(tell, PERIOD))
    if (publishes()) {
      timers.push(setInterval(() => void fresh.publish('trial', { data: 'an event' }), EVENT_PERIOD))
    }
    tell()
  }

  return {
    async begin(next) {
      fault = next
      cured = null
      proxy.fault = next
      // The default heartbeat, 20 s, is longer than what the proxy allows.
      if (next !== 'none') return start({})
      await end()
      tell()
    },
    async cure() {
      const [finding] = hub?.diagnose() ?? []
      if (!finding) return null
      const { heartbeatMs, maxAgeMs } = finding.evidence
      if (finding.code === 'idle-timeout' && heartbeatMs !== undefined) {
        cured = `heartbeat: ${heartbeatMs}`
        await start({ heartbeat: heartbeatMs })
      } else if (finding.code === 'maximum-duration' && maxAgeMs !== undefined) {
        cured = `maxAge: ${maxAgeMs}`
        await start({ maxAge: maxAgeMs })
      } else if (finding.code === 'held-back') {
        cured = 'proxy_buffering off'
        proxy.fault = 'none'
        await start({})
      } else return null
      return cured
    },
    async stop() {
      await end()
      await proxy.close()
      if (server.listening) {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      }
    },
  }
}

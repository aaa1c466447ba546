// The lab: one hub, one server, and what feeds them. A test runs it on port 0; server.ts runs it for people.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createHub, type Hub, type HubOptions } from '../../../src/index.ts'
import { openChannels } from './channels.ts'
import { startCloses } from './closes.ts'
import { createCrowdControl } from './crowd-control.ts'
import { startFigures } from './figures.ts'
import { type Following, follow } from './follow.ts'
import { startHealth } from './health.ts'
import { createPages } from './pages.ts'
import { createRoutes } from './routes.ts'
import { createTrial } from './trial.ts'

const DEFAULTS = Object.freeze({
  /** How long a write waits for its reader before the connection is `stalled`. Short, so that one can watch it happen. */
  stallTimeout: 5_000,
  /** How long a browser waits before it comes back: long enough to see, and to miss something that is then replayed. */
  retry: 3_000,
})

export interface LabOptions {
  /** A file whose new lines are published to `lines`. */
  follow?: string | undefined
  /** Over the lab's own: `stallTimeout` 5_000, `retry` 3_000. */
  hub?: HubOptions
}

export interface Lab {
  readonly server: Server
  readonly hub: Hub
  /** Settles with the page's URL. Rejects as `server.listen` fails. */
  listen(port: number, host?: string): Promise<string>
  /** Says good-bye to every client, stops everything, and settles once nothing is left running. */
  close(): Promise<void>
}

export function createLab(options: LabOptions = {}): Lab {
  const settings = { ...DEFAULTS, ...options.hub }
  const hub = createHub(settings)
  const channels = openChannels(hub)
  const { retry, stallTimeout } = settings

  // A publish that is refused is told to whoever asked for it.
  hub.on('error', (error, { during }) => {
    if (during !== 'publish') console.error(`lab: a failure during ${during}:`, error)
  })

  /** Words for what just happened: a row in the feed, a mark in the charts. */
  const note = (text: string): void => {
    channels.notes.publish({ event: 'note', data: { at: Date.now(), text } })
  }

  let following: Following | undefined
  const stops: (() => void)[] = []
  const server = createServer()
  const address = (): { host: string; port: number } => {
    const { address, port } = server.address() as AddressInfo // it listens on a port, not on a pipe
    return { host: connectable(address), port }
  }
  const crowd = createCrowdControl(channels, address, note)
  const trial = createTrial(channels.trial)
  const pages = createPages(hub, () => ({
    retry,
    stallTimeout,
    follow: options.follow === undefined ? null : { file: options.follow, state: following?.state },
  }))
  server.on('request', createRoutes({ hub, channels, crowd, trial, pages, note, host: () => address().host }))

  return {
    server,
    hub,
    async listen(port, host = '127.0.0.1') {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, () => {
          server.off('error', reject)
          resolve()
        })
      })
      stops.push(
        startFigures(hub, channels.figures),
        startCloses(hub, channels.closes),
        startHealth(hub, channels.health),
      )
      if (options.follow !== undefined) {
        following = follow({
          path: options.follow,
          onLine: (line) => channels.lines.publish({ event: 'line', data: line }),
          onState: (state, detail) => channels.lines.publish({ event: 'follow', data: { state, detail } }),
        })
        await following.ready
      }
      const at = address()
      return `http://${at.host.includes(':') ? `[${at.host}]` : at.host}:${at.port}/`
    },
    async close() {
      for (const stop of stops) stop()
      await following?.stop()
      await trial.stop()
      await hub.close({ within: 2_000, reconnectOver: 3_000 })
      await crowd.stop()
      if (!server.listening) return
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }
}

/** An address that stands for all of them cannot be connected to. */
function connectable(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1'
  return address === '::' ? '::1' : address
}

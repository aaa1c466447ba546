// The peers by name. Each is loaded only in the process that runs it, so that one does not weigh on another.

import { findNginx } from './nchan-config.ts'
import type { StartPeer } from './peer.ts'

const MODULES = {
  sluice: () => import('./sluice.ts'),
  'write-string': () => import('./write.ts'),
  'write-buffer': () => import('./write-buffer.ts'),
  'better-sse': () => import('./better-sse.ts'),
  'better-sse-batch': () => import('./better-sse-batch.ts'),
  'express-sse': () => import('./express-sse.ts'),
  'fastify-sse': () => import('./fastify-sse.ts'),
  hono: () => import('./hono.ts'),
  nchan: () => import('./nchan.ts'),
  net: () => import('./net.ts'),
  'sluice-cluster': () => import('./sluice-cluster.ts'),
  bare: () => import('./bare.ts'),
} satisfies Record<string, () => Promise<{ start: StartPeer }>>

export type PeerName = keyof typeof MODULES

export const PEERS = Object.keys(MODULES) as PeerName[]

/** Those that fan events out in one process; `bare` only holds connections. */
export const FAN_OUT_PEERS = PEERS.filter((name) => name !== 'bare' && name !== 'sluice-cluster')

const PACKAGES: Partial<Record<PeerName, string>> = {
  'better-sse': 'better-sse',
  'better-sse-batch': 'better-sse',
  'express-sse': 'express-sse',
  'fastify-sse': '@fastify/sse',
  hono: 'hono',
}

export async function load(name: PeerName): Promise<StartPeer> {
  return (await MODULES[name]()).start
}

/** Why a peer cannot run here; `undefined` when it can. */
export function missing(name: PeerName): string | undefined {
  if (name === 'nchan') {
    return findNginx() ? undefined : 'nginx with nchan is not installed (Debian: nginx, libnginx-mod-nchan)'
  }
  const wanted = PACKAGES[name]
  if (wanted === undefined) return undefined
  try {
    import.meta.resolve(wanted)
    return undefined
  } catch {
    return `${wanted} is not installed (npm --prefix bench ci)`
  }
}

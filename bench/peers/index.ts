// The peers by name. Each is loaded only in the process that runs it, so that one does not weigh on another, and by the name
// of its file, so that who reads this module needs none of them installed.

import { findNginx } from './nchan-config.ts'
import type { StartPeer } from './peer.ts'

/** Each has a module of its name here. */
export const PEERS = [
  'sluice',
  'write-string',
  'write-buffer',
  'better-sse',
  'better-sse-batch',
  'express-sse',
  'fastify-sse',
  'hono',
  'nchan',
  'net',
  'sluice-cluster',
  'bare',
] as const

export type PeerName = (typeof PEERS)[number]

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
  const { start } = (await import(`./${name}.ts`)) as { start: StartPeer } // every module of a peer has it
  return start
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

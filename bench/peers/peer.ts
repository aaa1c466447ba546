// What a peer is to the bench: a server in this process that streams what is published to everybody who connected.

import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { BenchEvent } from '../event.ts'

export interface Peer {
  readonly port: number
  /** Sends the events to every connection, in order: what an application would do on having several at hand. */
  publish(events: readonly BenchEvent[]): void
  /** Settles when what was published has been handed to every socket. Absent when `publish` has done so on its return. */
  settled?(): Promise<void>
  /** Publishes only to those that asked for the path `/stalled`. */
  flood?(data: string): void
  /** How many stalls it has seen itself. */
  stalls?(): number
  /** The last event ID of a client that has read everything. */
  position?(): string
  /** What a server outside this process has used so far. */
  cpuMicros?(): number
  memoryBytes?(): number
  close(): void
}

export interface PeerOptions {
  /** Processes that share the port, where the peer has any. */
  workers?: number
}

export type StartPeer = (options: PeerOptions) => Promise<Peer>

/** A storm of 10,000 must find room in the queue of the kernel, the same for every peer: Node asks for 511 otherwise. */
export const BACKLOG = 4_096

/** The log of what only the stalled read, to fill what the kernel would otherwise swallow for them. */
export const BALLAST_BYTES = 262_144

export async function listening(server: Pick<Server, 'listen' | 'address' | 'once'>): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port: 0, backlog: BACKLOG }, resolve)
  })
  return (server.address() as AddressInfo).port // it listens on TCP
}

export function block({ id, data }: BenchEvent): string {
  return `id: ${id}\ndata: ${data}\n\n`
}

// What the operating system allows: file descriptors per process, and ports per source address. Looked at before the
// first connection, since running out half-way looks like a failing server.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import { Refusal } from './options.ts'
import type { Target } from './target.ts'

/** One process decodes for about this many before it is busier than a server that sends to them. */
export const CLIENTS_PER_PROCESS = 8_000
/** Below the usual range of 28,232 ports, for those of earlier connections are kept for a minute. */
const CLIENTS_PER_ADDRESS = 25_000
/** A part of the range stays free for the rest of the machine. */
const SHARE_OF_PORTS = 0.9
/** For what Node and the program itself keep open, and for a stream that comes while another goes. */
const SPARE_DESCRIPTORS = 100

export interface Limits {
  descriptors: number
  ports: number
  /** Whether all of 127.0.0.0/8 is this machine's, as it is on Linux and nowhere else. */
  manyLoopbacks: boolean
}

export interface Plan {
  processes: number
  /** Source addresses, used in turn; none for the system's choice. */
  sources: string[]
}

export function readLimits(): Limits {
  return { descriptors: descriptors(), ports: ports(), manyLoopbacks: process.platform === 'linux' }
}

/** @throws {Refusal} that says what to raise */
export function plan(clients: number, processes: number | undefined, target: Target, limits: Limits): Plan {
  const count = processes ?? Math.ceil(clients / CLIENTS_PER_PROCESS)
  const each = Math.ceil(clients / count)
  const needed = each + SPARE_DESCRIPTORS
  if (needed > limits.descriptors) {
    const more = Math.ceil(clients / Math.max(limits.descriptors - SPARE_DESCRIPTORS, 1))
    throw new Refusal(
      `${each} clients in a process need ${needed} file descriptors, and this shell allows ${limits.descriptors}.\n` +
        `Raise it with "ulimit -n ${needed}" (above the hard limit: nofile in /etc/security/limits.conf, LimitNOFILE of a systemd unit), or share the clients out with --processes ${more}. The server needs as many.`,
    )
  }
  return { processes: count, sources: sources(clients, target, limits) }
}

function sources(clients: number, target: Target, limits: Limits): string[] {
  const perAddress = Math.min(CLIENTS_PER_ADDRESS, Math.floor(limits.ports * SHARE_OF_PORTS))
  if (clients <= perAddress) return []
  const wanted = Math.ceil(clients / perAddress)
  const widen = `widen the range (sysctl net.ipv4.ip_local_port_range; it has ${limits.ports} ports now)`
  if (!target.loopback) {
    throw new Refusal(
      `One source address has ports for about ${perAddress} connections to one address and port. To load it with ${clients}, ${widen}, or share them among ${wanted} machines.`,
    )
  }
  if (!isIPv4(target.address) || !limits.manyLoopbacks) {
    throw new Refusal(
      `One source address has ports for about ${perAddress} connections. For ${clients}, ${widen}, or use 127.0.0.1 on Linux, where there are more source addresses.`,
    )
  }
  if (wanted > 250) throw new Refusal(`${clients} clients need more addresses than 127.0.0.x has; ${widen}.`)
  return Array.from({ length: wanted }, (_, index) => `127.0.0.${index + 1}`)
}

/** Node raises its soft limit to the hard one when it starts, so this is what the processes will have, too. */
function descriptors(): number {
  const limits = read('/proc/self/limits')
  const soft = limits === undefined ? ulimit() : /^Max open files\s+(\S+)/m.exec(limits)?.[1]
  return soft === undefined || !/^\d+$/.test(soft) ? Number.POSITIVE_INFINITY : Number(soft)
}

function ulimit(): string | undefined {
  try {
    return execFileSync('/bin/sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim()
  } catch {
    return undefined
  }
}

function ports(): number {
  const range = read('/proc/sys/net/ipv4/ip_local_port_range')?.trim().split(/\s+/).map(Number)
  // What IANA gives for this use, which the other systems follow: 49152 to 65535.
  const [from = 49_152, to = 65_535] = range ?? []
  return to - from + 1
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

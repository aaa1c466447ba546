// What the operating system allows: open files per process, and ports per source address. Looked at before a server is
// started, for running out half-way looks like a server that fails.

import { readFileSync } from 'node:fs'

/** What a load process holds at the most: with more it is busier than the server it measures. */
const SOCKETS_PER_PROCESS = 9_000
/** What one source address is given at the most; the usual range has 28,232 ports, some of them in TIME_WAIT. */
const SOCKETS_PER_ADDRESS = 25_000
/** What Node, the pipes to the parent and the modules keep open. */
const SPARE_FILES = 100

export interface Plan {
  /** Connections of each load process. */
  shares: number[]
  /** Source addresses, used in turn; none for the system's choice. */
  addresses: string[]
}

export class LimitError extends Error {}

/**
 * How many load processes and source addresses it takes.
 *
 * @throws {LimitError} that says what to raise
 */
export function plan(connections: number): Plan {
  const files = openFiles()
  const needed = connections + SPARE_FILES
  if (needed > files) {
    throw new LimitError(
      `${connections} connections need ${needed} open files in the server process; this shell allows ${files}. ` +
        `Raise it: "ulimit -n ${needed}" (above the hard limit: nofile in /etc/security/limits.conf, LimitNOFILE of a systemd unit).`,
    )
  }
  const processes = Math.ceil(connections / SOCKETS_PER_PROCESS)
  const shares = Array.from({ length: processes }, (_, index) =>
    Math.floor((connections + index) / processes),
  )
  const perAddress = Math.min(SOCKETS_PER_ADDRESS, Math.floor(ports() * 0.9))
  if (connections <= perAddress) return { shares, addresses: [] }
  if (process.platform !== 'linux') {
    throw new LimitError(
      `${connections} connections need more ports than the ${ports()} of one source address. Widen the range of ephemeral ports, or run on Linux, where 127.0.0.2 and on are this machine's too.`,
    )
  }
  const wanted = Math.ceil(connections / perAddress)
  if (wanted > 250) {
    throw new LimitError(
      `The range of ephemeral ports has only ${ports()}. Widen it: "sysctl -w net.ipv4.ip_local_port_range='1024 65535'".`,
    )
  }
  return { shares, addresses: Array.from({ length: wanted }, (_, index) => `127.0.0.${index + 1}`) }
}

/** Node raises its soft limit to the hard one at its start, so children have what this process has. */
function openFiles(): number {
  const soft = /^Max open files\s+(\d+)/m.exec(read('/proc/self/limits'))?.[1]
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft)
}

function ports(): number {
  const [from = 49_152, to = 65_535] =
    read('/proc/sys/net/ipv4/ip_local_port_range').match(/\d+/g)?.map(Number) ?? []
  return to - from + 1
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

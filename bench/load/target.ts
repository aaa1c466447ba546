// Whose host is this? A load generator pointed at somebody else's machine is an attack, so the answer is found before
// the first connection, and every connection goes to the addresses that were looked at, whatever the name says later.

import { lookup } from 'node:dns/promises'
import { BlockList, connect, isIP, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { Refusal } from './options.ts'

export interface Target {
  /** The one address that every connection goes to. */
  address: string
  loopback: boolean
  /** Whether it is this machine. */
  here: boolean
}

const PROBE_TIMEOUT = 2_000

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')
// "Any address" as a destination is this machine on the systems that allow it.
loopback.addAddress('0.0.0.0', 'ipv4')
loopback.addAddress('::', 'ipv6')

/** Loopback, or an address of one of this machine's interfaces. */
export function isHere(address: string): boolean {
  const family = isIPv6(address) ? 'ipv6' : 'ipv4'
  if (loopback.check(address, family)) return true
  const own = new BlockList()
  for (const list of Object.values(networkInterfaces())) {
    for (const entry of list ?? []) own.addAddress(entry.address, entry.family === 'IPv6' ? 'ipv6' : 'ipv4')
  }
  return own.check(address, family)
}

/**
 * Finds out where the URL leads. Connects to nothing, unless the name has several addresses that may be loaded.
 *
 * @throws {Refusal} when the name has no address, or leads to another machine and that was not allowed
 */
export async function resolveTarget(url: URL, allowed: boolean): Promise<Target> {
  const host = hostOf(url)
  const addresses = await resolve(host)
  const foreign = addresses.filter((address) => !isHere(address))
  if (foreign.length > 0 && !allowed) {
    const where = foreign.includes(host) ? '' : ` (${foreign.join(', ')})`
    throw new Refusal(
      `${host}${where} is not this machine, and nothing was sent to it. If you answer for that host, say so with --i-may-load-this-host.`,
    )
  }
  const address = addresses.length === 1 ? (addresses[0] as string) : await firstListening(addresses, url)
  const family = isIPv6(address) ? 'ipv6' : 'ipv4'
  return { address, loopback: loopback.check(address, family), here: isHere(address) }
}

/** The host of a URL as the system's calls want it: IPv6 addresses without their brackets. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1')
}

export function portOf(url: URL): number {
  return Number(url.port) || (url.protocol === 'https:' ? 443 : 80)
}

async function resolve(host: string): Promise<string[]> {
  if (isIP(host)) return [host]
  try {
    const found = await lookup(host, { all: true })
    return [...new Set(found.map(({ address }) => address))]
  } catch (error) {
    throw new Refusal(`${host} has no address: ${error instanceof Error ? error.message : error}.`)
  }
}

/** `localhost` is often two addresses and a server listens on one. All clients then use the same, without a race each. */
async function firstListening(addresses: string[], url: URL): Promise<string> {
  for (const address of addresses) if (await listens(address, portOf(url))) return address
  return addresses[0] as string // its connections will fail, and say why
}

function listens(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: PROBE_TIMEOUT })
    const answer = (yes: boolean) => (): void => {
      socket.destroy()
      resolve(yes)
    }
    socket.on('connect', answer(true))
    socket.on('error', answer(false))
    socket.on('timeout', answer(false))
  })
}

// Who is compared: names as readers know them, an order, and a place in the palette.

interface Peer {
  name: string
  /** The class of its colour in the charts. */
  colour: string
  /** Not a competitor: what the runtime itself can do. */
  limit?: true
}

const PEERS: Record<string, Peer> = {
  sluice: { name: 'Sluice', colour: 'c-sluice' },
  nchan: { name: 'nginx + nchan', colour: 'c-nchan' },
  'write-buffer': { name: 'res.write, buffer', colour: 'c-write-buffer' },
  'write-string': { name: 'res.write, string', colour: 'c-write-string' },
  'better-sse': { name: 'better-sse', colour: 'c-better' },
  'express-sse': { name: 'express-sse', colour: 'c-express' },
  'fastify-sse': { name: '@fastify/sse', colour: 'c-fastify' },
  hono: { name: 'hono', colour: 'c-hono' },
  net: { name: 'node:net alone', colour: 'c-net', limit: true },
}

const ORDER = Object.keys(PEERS)

export function peerName(peer: string): string {
  return PEERS[peer]?.name ?? peer
}

export function peerColour(peer: string): string {
  return PEERS[peer]?.colour ?? 'c-other'
}

export function isLimit(peer: string): boolean {
  return PEERS[peer]?.limit === true
}

/** Known peers in their order, then the others by name. */
export function comparePeers(a: string, b: string): number {
  const place = (peer: string): number => (ORDER.includes(peer) ? ORDER.indexOf(peer) : ORDER.length)
  return place(a) - place(b) || (a < b ? -1 : a > b ? 1 : 0)
}

// Engines name one life of a log in words of their own: a time of creation, a number of a broker. A hub's ids want ten
// characters of 0-9 and a-z, and all processes must come to the same ten.

const LENGTH = 10
const VALUES = 36n ** BigInt(LENGTH)

/** FNV-1a of 64 bits (RFC 9923): spreads well, needs no platform, and nobody gains from a collision of his own making. */
const OFFSET_BASIS = 0xcbf29ce484222325n
const PRIME = 0x100000001b3n

/** Ten characters of 0-9 and a-z, the same in every process for the same identity. */
export function epochOf(identity: string): string {
  let hash = OFFSET_BASIS
  for (const byte of new TextEncoder().encode(identity)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * PRIME)
  }
  return (hash % VALUES).toString(36).padStart(LENGTH, '0')
}

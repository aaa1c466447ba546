// A client's address as the key that its connections are counted by.

/**
 * An IPv4 address as it is, also when it came mapped into IPv6 (`::ffff:192.0.2.1`, RFC 4291 section 2.5.5.2, in either
 * spelling). Of any other IPv6 address its first 64 bits: one subscriber has all the addresses below them (RFC 6177),
 * and would otherwise have as many keys.
 */
export function addressKey(address: string): string {
  if (!address.includes(':')) return address
  const groups = groupsOf(address)
  if (!groups) return address
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff
  if (mapped) {
    const [high = 0, low = 0] = groups.slice(6)
    return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
  }
  const prefix = groups.slice(0, 4).map((group) => group.toString(16))
  return `${prefix.join(':')}::/64`
}

/** The eight groups; `undefined` for what is no IPv6 address. A zone (`%eth0`) is no part of it. */
function groupsOf(address: string): number[] | undefined {
  const [bare = ''] = address.split('%', 1)
  const halves = bare.split('::')
  if (halves.length > 2) return undefined
  const [head = [], tail] = halves.map(parts)
  const missing = 8 - head.length - (tail?.length ?? 0)
  if (tail ? missing < 1 : missing !== 0) return undefined
  const groups = tail ? [...head, ...new Array<number>(missing).fill(0), ...tail] : head
  return groups.every((group) => group >= 0 && group <= 0xffff) ? groups : undefined
}

function parts(half: string): number[] {
  if (half === '') return []
  return half.split(':').flatMap((part) => {
    if (/^[\da-f]{1,4}$/i.test(part)) return [Number.parseInt(part, 16)]
    const bytes = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(part)?.slice(1).map(Number)
    if (!bytes || bytes.some((byte) => byte > 255)) return [-1]
    const [a = 0, b = 0, c = 0, d = 0] = bytes
    return [(a << 8) | b, (c << 8) | d]
  })
}

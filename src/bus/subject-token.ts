// Channel names as one token of a NATS subject, readable where they are plain, so that permissions and `nats sub` can
// speak of them. A token may not hold dots, spaces, * and >; a channel name may hold anything.

const PLAIN = /[^A-Za-z0-9_-]/g
const ESCAPED = /~([0-9a-f]{4})/g

/**
 * Letters, digits, `_` and `-` stay; every other UTF-16 code unit becomes `~` and four hexadecimal digits. Code units,
 * not UTF-8: a name with half a surrogate pair comes back as it was.
 */
export function tokenOf(channel: string): string {
  return channel.replace(PLAIN, (unit) => `~${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** The channel of a token. What others have published under a name of another form is taken as it is. */
export function channelOf(token: string): string {
  return token.replace(ESCAPED, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

// What the kernel says when it gave a silent peer up: keep-alive probes or retransmission ran out, or no route is left.

const DEAD = new Set(['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN'])

/** Whether a socket's error means that its peer has vanished, rather than left. */
export function isDeadSocket(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && DEAD.has(code)
}

// What the lab needs of HTTP besides the event stream: bodies in, JSON and files out, and whom to refuse.

import type { IncomingMessage, ServerResponse } from 'node:http'

export const MAX_BODY_BYTES = 65_536

/** An answer that is not the one asked for. Its code stands beside Sluice's own; the page shows both. */
export class HttpError extends Error {
  readonly status: number
  readonly code: string
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, code: string, message: string, headers: Record<string, string> = {}) {
    super(message)
    this.status = status
    this.code = code
    this.headers = headers
  }
}

/** The page runs its own script and style and talks to its own server, and nothing else. */
export const SECURITY_HEADERS = Object.freeze({
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
})

export function sendJson(
  res: ServerResponse,
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  res.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Cache-Control': 'no-store',
    ...SECURITY_HEADERS,
    ...headers,
  })
  res.end(`${JSON.stringify(value)}\n`)
}

/** The fields of a body, JSON or form-encoded. @throws {HttpError} 400, 413, 415 */
export async function readFields(req: IncomingMessage): Promise<Record<string, unknown>> {
  const type = (req.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json' && type !== 'application/x-www-form-urlencoded') {
    throw new HttpError(
      415,
      'LAB_BAD_TYPE',
      'Send a body of type application/json or application/x-www-form-urlencoded.',
    )
  }
  const text = await readText(req)
  if (type !== 'application/json') return Object.fromEntries(new URLSearchParams(text))
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new HttpError(400, 'LAB_BAD_JSON', `The body is not JSON: ${why}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new HttpError(400, 'LAB_BAD_JSON', 'The body is not a JSON object.')
  }
  return value as Record<string, unknown> // an object, as tested just above
}

async function readText(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  // The answer needs the socket that the iterator would destroy on the way out.
  for await (const chunk of req.iterator({ destroyOnReturn: false })) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) {
      req.resume()
      throw new HttpError(413, 'LAB_TOO_LARGE', `The body is larger than ${MAX_BODY_BYTES} bytes.`, {
        Connection: 'close',
      })
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/**
 * Refuses what another site's page sends through a visitor's browser. Programs send neither header and may pass.
 *
 * @throws {HttpError} 403
 */
export function refuseCrossOrigin({ headers }: IncomingMessage): void {
  const site = headers['sec-fetch-site']
  const { origin, host } = headers
  const foreignSite = site !== undefined && site !== 'same-origin' && site !== 'none'
  const foreignOrigin = origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`
  if (foreignSite || foreignOrigin) {
    throw new HttpError(403, 'LAB_CROSS_ORIGIN', 'Only the lab page itself may do this from a browser.')
  }
}

const LOOPBACK_HOST = /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/i
const LOOPBACK_ADDRESS = /^(127(\.\d+){3}|::1)$/

/**
 * A server that listens on loopback only answers to loopback's names only: a site could let its own name point here and
 * so read the followed file from a visitor's browser (DNS rebinding).
 *
 * @param listening the address the server is bound to
 * @throws {HttpError} 421
 */
export function refuseForeignHost({ headers }: IncomingMessage, listening: string): void {
  if (!LOOPBACK_ADDRESS.test(listening) || LOOPBACK_HOST.test(headers.host ?? '')) return
  throw new HttpError(
    421,
    'LAB_FOREIGN_HOST',
    'This server listens on loopback and answers to localhost only; start it with --host to serve others.',
  )
}

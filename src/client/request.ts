// One attempt's request: what the settings say, and where the stream is to go on.

import { checkHeaders, checkSendableId } from './headers.ts'
import type { StreamSettings } from './options.ts'

/** What fetch is called with. */
export interface Prepared {
  readonly url: string
  readonly init: RequestInit
}

const encoder = new TextEncoder()
const LONE_SURROGATE = /\p{Cs}/gu
/** Rejects with what the functions for headers and body throw, as it is. */
export async function prepare(
  settings: StreamSettings,
  lastEventId: string,
  signal: AbortSignal,
): Promise<Prepared> {
  const { method, credentials, lastEventIdParam } = settings
  const given = settings.headers
  const headers = checkHeaders(typeof given === 'function' ? await given() : given)
  const body = typeof settings.body === 'function' ? await settings.body() : settings.body
  const url = new URL(settings.url)
  if (!headers.has('Accept')) headers.set('Accept', 'text/event-stream')
  if (lastEventId !== '') {
    if (lastEventIdParam === undefined) headers.set('Last-Event-ID', headerOf(checkSendableId(lastEventId)))
    else addParam(url, lastEventIdParam, lastEventId)
  }
  const init: RequestInit & { duplex?: 'half' } = { method, headers, signal, redirect: 'follow' }
  if (body !== undefined) init.body = body
  // Fetch asks for it with a stream, for the answer will not come before all of it was sent.
  if (typeof ReadableStream === 'function' && body instanceof ReadableStream) init.duplex = 'half'
  // Some workers' platforms throw at members that they do not have.
  if (credentials !== undefined) init.credentials = credentials
  if ('cache' in Request.prototype) init.cache = 'no-store' // HTML 9.2.2: "Set request's cache mode to 'no-store'"
  return { url: url.href, init }
}

/** HTML 9.2.3 sends the id's UTF-8 bytes; fetch takes a header's bytes as the characters of Latin-1. */
function headerOf(id: string): string {
  return Array.from(encoder.encode(id), (byte) => String.fromCharCode(byte)).join('')
}

/** Left as it is otherwise: to set a parameter rewrites the whole query, which may be signed. */
function addParam(url: URL, name: string, value: string): void {
  if (url.searchParams.has(name)) {
    url.searchParams.set(name, value)
    return
  }
  const pair = [name, value]
    .map((text) => encodeURIComponent(text.replace(LONE_SURROGATE, '\uFFFD')))
    .join('=')
  url.search += url.search === '' ? `?${pair}` : `&${pair}`
}

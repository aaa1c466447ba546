// What is asked of an endpoint, in which order, and for how long. The order is that of a page's life: it opens the
// stream, watches it, opens more, and comes back.

import { exchange, type Request, type Running } from './exchange.ts'
import { ACCEPT_ENCODING } from './inflate.ts'
import type { Exchange, Observations, Redirect, Resume, Seven } from './observations.ts'
import type { DoctorOptions } from './options.ts'
import { planResume } from './resume-plan.ts'

/** Without an answer for so long, the same is asked without Accept-Encoding. */
const SILENT = 1_500
/** How long a short question may take. */
const SHORT = 2_000
/** How long all seven have to be answered. */
const SEVEN_WITHIN = 2_500
/** How long what was missed may take to come again. */
const RESUME_WITHIN = 1_500
/** How long the body of what is no event stream is read. */
const PAGE_WITHIN = 500
/** One more than browsers open to a host over HTTP/1.1. */
const ASKED = 7
/** As many as Fetch allows. */
const MAX_REDIRECTS = 20
const REDIRECTS = new Set([301, 302, 303, 307, 308])
const EVENT_STREAM = /^\s*text\/event-stream\s*(;|$)/i

const UNKNOWN_ID = 'sluice-doctor-0-unknown'
/** Not UTF-8, quotes and path and markup, and far longer than any id. */
const HOSTILE_ID = `\xff\xfe"'<%00../${'\xe9'.repeat(1_000)}`

export type ProbeOptions = Omit<DoctorOptions, 'json'>

/** Never rejects, and takes `wait` and some 8 s at the most. When the signal comes it ends with what it knows. */
export async function probe(options: ProbeOptions, signal: AbortSignal): Promise<Observations> {
  const asker = new Asker(options, signal)
  const { main, plain, redirects } = await asker.open()
  const answer = main.seen()
  const stream = answer.response?.status === 200 && isEventStream(answer)
  const sides = stream ? asker.sides() : asker.preflightOnly(answer)
  if (!stream) await Promise.race([main.over, asker.pause(PAGE_WITHIN)])
  else await main.over
  main.stop()
  await main.over
  const seen = main.seen()
  const resume = stream ? await asker.resume(seen) : undefined

  const beside = await plain
  return {
    url: options.url.href,
    secure: asker.url.protocol === 'https:',
    wait: options.wait,
    sentLastEventId: options.lastEventId,
    credentials: options.headers.some(([name]) => /^(cookie|authorization)$/i.test(name)),
    origin: options.origin,
    insecure: options.insecure,
    http1: options.http1,
    redirects,
    main: seen,
    ...(beside && { plain: beside }),
    ...(resume && { resume }),
    ...(await sides),
    interrupted: signal.aborted,
  }
}

export function isEventStream({ response }: Exchange): boolean {
  return EVENT_STREAM.test(response?.headers['content-type'] ?? '')
}

class Asker {
  /** Where the redirects led. */
  url: URL
  readonly #options: ProbeOptions
  readonly #signal: AbortSignal
  #headers: Record<string, string | string[]>

  constructor(options: ProbeOptions, signal: AbortSignal) {
    this.url = options.url
    this.#options = options
    this.#signal = signal
    this.#headers = headersOf(options)
  }

  /** The stream to watch, at the end of its redirects: answered, or over. */
  async open(): Promise<{ main: Running; plain: Promise<Exchange | undefined>; redirects: Redirect[] }> {
    const deadline = performance.now() + this.#options.wait
    const redirects: Redirect[] = []
    let within = this.#options.wait
    for (;;) {
      const main = this.#ask({ headers: this.#withId(this.#options.lastEventId), within })
      const plain = this.#plainBeside(main)
      await main.answered
      const { response } = main.seen()
      const arrived = { main, plain, redirects }
      if (!response || !REDIRECTS.has(response.status) || this.#signal.aborted) return arrived
      const late = redirects.length > 0 && performance.now() > deadline
      const redirect = this.#follow(response.status, response.headers.location, redirects.length, late)
      redirects.push(redirect)
      if (redirect.to === undefined) return arrived
      main.stop()
      await Promise.all([main.over, plain])
      // A chain of redirects has the same time as one answer, and the last of it a second at least.
      within = Math.max(1_000, deadline - performance.now())
    }
  }

  #follow(status: number, location: string | undefined, before: number, late: boolean): Redirect {
    const from = this.url
    const redirect = { status, from: from.href, location, to: undefined }
    if (location === undefined) return { ...redirect, why: 'no-location' }
    const to = URL.canParse(location, from) ? new URL(location, from) : undefined
    if (to?.protocol !== 'http:' && to?.protocol !== 'https:') return { ...redirect, why: 'bad-location' }
    if (from.protocol === 'https:' && to.protocol === 'http:') return { ...redirect, why: 'insecure' }
    if (before >= MAX_REDIRECTS) return { ...redirect, why: 'too-many' }
    if (late) return { ...redirect, why: 'too-slow' }
    // The user's headers (cookies, tokens) are for the origin that they named.
    if (to.origin !== from.origin) this.#headers = headersOf({ ...this.#options, headers: [] })
    this.url = to
    return { ...redirect, to: to.href }
  }

  /** The same without Accept-Encoding, where compression may be what holds it back. */
  async #plainBeside(main: Running): Promise<Exchange | undefined> {
    await Promise.race([main.answered, this.pause(SILENT)])
    const { response, failure } = main.seen()
    if (failure || this.#signal.aborted) return undefined
    if (response && (response.status !== 200 || response.headers['content-encoding'] === undefined))
      return undefined
    const headers = { ...this.#withId(this.#options.lastEventId), 'accept-encoding': 'identity' }
    const plain = this.#ask({ headers, within: this.#options.wait })
    await Promise.race([main.over, plain.over])
    // A stream that ended at once leaves the other a moment to do the same.
    if (main.seen().end) await Promise.race([plain.over, this.pause(PAGE_WITHIN)])
    plain.stop()
    await plain.over
    return plain.seen()
  }

  async sides(): Promise<Partial<Observations>> {
    const [unknownId, hostileId, preflight] = await Promise.all([
      this.#short({ headers: this.#withId(UNKNOWN_ID) }),
      this.#short({ headers: { ...this.#headers, 'last-event-id': HOSTILE_ID } }),
      this.#preflight(),
    ])
    if (this.#signal.aborted) return {}
    return { unknownId, hostileId, ...(preflight && { preflight }), seven: await this.#seven() }
  }

  async preflightOnly({ response }: Exchange): Promise<Partial<Observations>> {
    const preflight = response && (await this.#preflight())
    return preflight ? { preflight } : {}
  }

  #preflight(): Promise<Exchange> | undefined {
    if (this.#options.origin === undefined) return undefined
    const asked = {
      origin: this.#options.origin,
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'last-event-id',
    }
    return this.#short({ method: 'OPTIONS', headers: asked })
  }

  async #seven(): Promise<Seven> {
    const start = performance.now()
    const all = Array.from({ length: ASKED }, () =>
      this.#ask({
        headers: { ...this.#headers, 'accept-encoding': 'identity' },
        http2: false,
        read: false,
        within: SEVEN_WITHIN,
      }),
    )
    await Promise.all(all.map(({ answered }) => answered))
    const waited = performance.now() - start
    const seen = all.map((one) => one.seen())
    for (const one of all) one.stop()
    await Promise.all(all.map(({ over }) => over))
    return {
      asked: ASKED,
      statuses: seen.flatMap(({ response }) => response?.status ?? []),
      failures: seen.flatMap(({ response, failure }) => (response ? [] : (failure?.code ?? []))),
      unanswered: seen.filter(({ response, failure }) => !response && !failure).length,
      waited,
    }
  }

  async resume({ body }: Exchange): Promise<Resume | undefined> {
    const plan = body && planResume(body)
    if (!plan || this.#signal.aborted) return undefined
    const asked = this.#ask({ headers: this.#withId(plan.id), within: RESUME_WITHIN })
    const wanted = new Set(plan.missed)
    await asked.until((seen) => {
      if (!seen.body || wanted.size === 0) return (seen.body?.blockCount ?? 0) > 0
      const got = new Set(seen.body.blocks.map(({ id }) => id))
      return plan.missed.every((id) => got.has(id))
    })
    asked.stop()
    await asked.over
    return { ...plan, exchange: asked.seen() }
  }

  /** Settles after a while, or when the signal comes. */
  pause(ms: number): Promise<void> {
    const { promise, open } = opened()
    if (this.#signal.aborted) return Promise.resolve()
    // Nothing waits for this alone: it is raced against a request that is open.
    const timer = setTimeout(open, ms).unref()
    this.#signal.addEventListener('abort', open, { once: true })
    return promise.finally(() => {
      clearTimeout(timer)
      this.#signal.removeEventListener('abort', open)
    })
  }

  async #short(request: Pick<Request, 'headers'> & Partial<Request>): Promise<Exchange> {
    const asked = this.#ask({ ...request, read: false, within: SHORT })
    await asked.answered
    asked.stop()
    await asked.over
    return asked.seen()
  }

  #ask(request: Pick<Request, 'headers' | 'within'> & Partial<Request>): Running {
    const { insecure, http1 } = this.#options
    const running = exchange({
      url: this.url,
      method: 'GET',
      insecure,
      http2: !http1,
      read: true,
      ...request,
    })
    const stop = (): void => running.stop()
    if (this.#signal.aborted) stop()
    this.#signal.addEventListener('abort', stop)
    void running.over.then(() => this.#signal.removeEventListener('abort', stop))
    return running
  }

  #withId(id: string | undefined): Record<string, string | string[]> {
    if (id === undefined) return this.#headers
    // HTML 9.2.3: the last event ID goes as UTF-8, and Node writes headers as latin1.
    return { ...this.#headers, 'last-event-id': Buffer.from(id).toString('latin1') }
  }
}

/** What a browser sends with an EventSource, and what the user gave. */
function headersOf({ headers, origin }: ProbeOptions): Record<string, string | string[]> {
  const all: Record<string, string | string[]> = {
    accept: 'text/event-stream',
    'cache-control': 'no-cache',
    'accept-encoding': ACCEPT_ENCODING,
    'user-agent': 'sluice-doctor',
    ...(origin !== undefined && { origin }),
  }
  const given = new Map<string, string[]>()
  for (const [name, value] of headers) {
    const key = name.toLowerCase()
    given.set(key, [...(given.get(key) ?? []), value])
  }
  for (const [name, values] of given) all[name] = values.length === 1 ? (values[0] as string) : values // one at least
  return all
}

function opened(): { promise: Promise<void>; open: () => void } {
  let open = (): void => {}
  const promise = new Promise<void>((resolve) => {
    open = resolve
  })
  return { promise, open: () => open() }
}

// The command line of `sluice doctor`: what it takes, what it defaults to, what it refuses. It opens nothing.

import { validateHeaderName, validateHeaderValue } from 'node:http'
import { parseArgs } from 'node:util'

export const DOCTOR_USAGE = `Probes an endpoint that speaks text/event-stream, anybody's, from the client's side and through whatever stands
in front of it: what an EventSource would meet there, with the evidence and the cure.

  npx sluice doctor URL [options]

  --wait SECONDS          how long the stream is held open and watched; default 6 (about 8 s in all). Give more than the
                          idle timeouts that you expect on the way (60 s for nginx and ALB) to see who ends it, and when
  --header "Name: value"  a request header, repeatable
  --last-event-id ID      asks for what came after this id
  --origin ORIGIN         asks as a page of this origin does, and judges the CORS answer
  --insecure              takes a certificate that is not trusted
  --http1                 does not offer HTTP/2
  --json                  the findings, and what was observed, as JSON
  --help                  this

It opens a dozen streams at the most: the one that is watched, seven at once over HTTP/1.1 (one more than a browser
allows itself), and short ones with other Last-Event-IDs. Ctrl-C ends it with what it knows by then.

Exit status
  0  nothing worse than an info
  1  warnings
  2  errors
  3  it could not run: wrong usage, or no connection to be had
`

export interface DoctorOptions {
  url: URL
  /** Milliseconds. */
  wait: number
  headers: [name: string, value: string][]
  lastEventId: string | undefined
  origin: string | undefined
  insecure: boolean
  http1: boolean
  json: boolean
}

/** Something that the person at the command line can put right. Its message is all that they are shown. */
export class Refusal extends Error {}

/** A day. */
const MAX_WAIT = 86_400

/**
 * @returns what to probe, or `'help'`
 * @throws {Refusal} for anything that cannot be meant
 */
export function readOptions(argv: string[]): DoctorOptions | 'help' {
  const { values, positionals } = parse(argv)
  if (values.help) return 'help'
  const [url, ...others] = positionals
  if (url === undefined) throw new Refusal('The URL is missing.')
  if (others.length > 0) throw new Refusal(`One URL at a time; ${JSON.stringify(others[0])} is one too many.`)
  const lastEventId = values['last-event-id']
  if (lastEventId !== undefined) checkId(lastEventId)
  return {
    url: readUrl(url),
    wait: readWait(values.wait) * 1_000,
    headers: values.header.map(readHeader),
    lastEventId,
    origin: values.origin === undefined ? undefined : readOrigin(values.origin),
    insecure: values.insecure,
    http1: values.http1,
    json: values.json,
  }
}

function parse(argv: string[]) {
  try {
    return parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        wait: { type: 'string', default: '6' },
        header: { type: 'string', multiple: true, default: [] },
        'last-event-id': { type: 'string' },
        origin: { type: 'string' },
        insecure: { type: 'boolean', default: false },
        http1: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    throw new Refusal(error instanceof Error ? error.message : String(error))
  }
}

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new Refusal(
      `The URL is ${JSON.stringify(text)}; it must be a whole one, as in https://example.com/events.`,
    )
  }
  return url
}

function readWait(text: string): number {
  const value = /^\d*\.?\d+$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= 1 && value <= MAX_WAIT)) {
    throw new Refusal(
      `--wait is ${JSON.stringify(text)}; it must be a number of seconds from 1 to ${MAX_WAIT}.`,
    )
  }
  return value
}

function readHeader(text: string): [string, string] {
  const colon = text.indexOf(':')
  const name = text.slice(0, Math.max(colon, 0)).trim()
  const value = text.slice(colon + 1).trim()
  try {
    validateHeaderName(name)
    validateHeaderValue(name, value)
  } catch {
    throw new Refusal(`--header is ${JSON.stringify(text)}; it must be of the form "Name: value".`)
  }
  return [name, value]
}

function checkId(id: string): void {
  if (!/\p{Cc}/u.test(id)) return
  throw new Refusal(
    `--last-event-id is ${JSON.stringify(id)}; an id with control characters cannot travel in a header.`,
  )
}

function readOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (
    text === 'null' ||
    (url && url.origin !== 'null' && url.pathname === '/' && url.search + url.hash === '')
  ) {
    return url?.origin ?? text
  }
  throw new Refusal(
    `--origin is ${JSON.stringify(text)}; it must be an origin, as in https://app.example.com.`,
  )
}

// The command line of the load generator: what it takes, what it defaults to, what it refuses. It opens nothing.

import { validateHeaderName, validateHeaderValue } from 'node:http'
import { parseArgs } from 'node:util'
import { parseStamp } from './stamp.ts'

export const USAGE = `Loads an endpoint that speaks text/event-stream, and reports how it bore it.

  npx tsx bench/load/main.ts --url URL [options]

  --url URL               the endpoint, http or https
  --clients N             how many clients read it; default 100
  --ramp SECONDS          over how long they arrive, evenly; default 1, 0 for all at once
  --duration SECONDS      how long they stay once all have been started; default 30
  --slow N                how many of the clients stop reading once their stream is open; default 0
  --churn PER_SECOND      how many leave each second after the ramp, and come back at once; default 0
  --fresh                 those that leave by --churn come back as new clients, without Last-Event-ID
  --timestamp FIELD       where events say when they were sent, in epoch milliseconds: a field of JSON data
                          (sentAt, or meta.sentAt), or /a regular expression/ whose first group is the number
  --header 'Name: value'  a request header; may be given several times
  --insecure              accept any certificate
  --processes N           how many processes share the clients; default one for each 8,000
  --json FILE             write the figures to FILE, too ("-" for standard output, in place of the table)
  --i-may-load-this-host  allow a host that is not this machine. Ask its owner first
  --help                  say this

A client behaves as a browser's EventSource: it comes back after its reconnection time (retry, 3 s unless told) with
its Last-Event-ID, and gives up for good on any status but 200 and on any other content type. Redirects are followed
on the same host only. Ctrl-C ends the run early, with its report.

Exit status: 0 when at least one stream opened, 1 when none did, 2 when the run was refused.
`

export interface LoadOptions {
  url: URL
  clients: number
  /** Milliseconds, as are all durations once the command line has been read. */
  ramp: number
  duration: number
  slow: number
  churn: number
  fresh: boolean
  timestamp: string | undefined
  headers: [name: string, value: string][]
  insecure: boolean
  processes: number | undefined
  json: string | undefined
  allowed: boolean
}

/** Something that the person at the command line can put right. Its message is all that they are shown. */
export class Refusal extends Error {}

/** A week: longer than any test, and shorter than what a timer takes. */
const MAX_SECONDS = 604_800

/**
 * @returns what to run, or `'help'`
 * @throws {Refusal} for anything that cannot be meant
 */
export function readOptions(argv: string[]): LoadOptions | 'help' {
  const values = parse(argv)
  if (values.help) return 'help'
  if (values.url === undefined) throw new Refusal('--url is missing.')
  const clients = integer('clients', values.clients, 1)
  const slow = integer('slow', values.slow, 0)
  if (slow > clients)
    throw new Refusal(`--slow is ${slow}, of ${clients} clients; it cannot be more than all.`)
  if (values.timestamp !== undefined) checkStamp(values.timestamp)
  return {
    url: readUrl(values.url),
    clients,
    slow,
    ramp: seconds('ramp', values.ramp, 0) * 1_000,
    duration: seconds('duration', values.duration, 0.1) * 1_000,
    churn: seconds('churn', values.churn, 0),
    fresh: values.fresh,
    timestamp: values.timestamp,
    headers: values.header.map(readHeader),
    insecure: values.insecure,
    processes: values.processes === undefined ? undefined : integer('processes', values.processes, 1),
    json: values.json,
    allowed: values['i-may-load-this-host'],
  }
}

function parse(argv: string[]) {
  try {
    return parseArgs({
      args: argv,
      options: {
        url: { type: 'string' },
        clients: { type: 'string', default: '100' },
        ramp: { type: 'string', default: '1' },
        duration: { type: 'string', default: '30' },
        slow: { type: 'string', default: '0' },
        churn: { type: 'string', default: '0' },
        fresh: { type: 'boolean', default: false },
        timestamp: { type: 'string' },
        header: { type: 'string', multiple: true, default: [] },
        insecure: { type: 'boolean', default: false },
        processes: { type: 'string' },
        json: { type: 'string' },
        'i-may-load-this-host': { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    throw new Refusal(error instanceof Error ? error.message : String(error))
  }
}

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new Refusal(`--url is "${text}"; it must be a whole URL, as in http://127.0.0.1:8080/events.`)
  }
  return url
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

function checkStamp(text: string): void {
  try {
    parseStamp(text)
  } catch (error) {
    throw new Refusal(`--timestamp is "${text}": ${error instanceof Error ? error.message : error}`)
  }
}

function integer(name: string, text: string, least: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= least))
    throw new Refusal(`--${name} is "${text}"; it must be a whole number, ${least} or more.`)
  return value
}

function seconds(name: string, text: string, least: number): number {
  const value = /^\d*\.?\d+$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= least && value <= MAX_SECONDS)) {
    throw new Refusal(`--${name} is "${text}"; it must be a number from ${least} to ${MAX_SECONDS}.`)
  }
  return value
}

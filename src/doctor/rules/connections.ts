// How many streams fit: between a browser and a host, and into the server.

import { info, ok, type Rule, warning } from '../finding.ts'
import { count, duration } from '../text.ts'
import { isStream } from './opening.ts'

/** What RFC 9113, section 6.5.2, recommends as the least. */
const H2_STREAMS = 100

export const versions: Rule = ({ main, secure, http1 }) => {
  const { response } = main
  if (!response || !isStream(main)) return []
  if (response.httpVersion === '2.0') {
    const most = response.maxConcurrentStreams
    if (most !== undefined && most < H2_STREAMS)
      return [warning('h2-streams', `${count(most, 'stream')} at once.`)]
    return [
      ok(
        'six-connections',
        `HTTP/2, ${most === undefined || most > 1e9 ? 'without a limit' : `${most} streams`} to a connection`,
      ),
    ]
  }
  const what = `HTTP/${response.httpVersion}`
  if (!secure)
    return [
      info(
        'six-connections',
        `${what} without TLS, over which no browser speaks HTTP/2: six tabs and the seventh waits.`,
      ),
    ]
  if (http1) return [info('six-connections', `${what}; HTTP/2 was not offered because of --http1.`)]
  return [
    warning(
      'six-connections',
      `${what} over TLS; HTTP/2 was offered and not taken: six tabs and the seventh waits.`,
    ),
  ]
}

export const concurrency: Rule = ({ seven, main }) => {
  if (!seven || !isStream(main)) return []
  const { asked, statuses, failures, unanswered, waited } = seven
  const good = statuses.filter((status) => status === 200).length
  if (good === asked)
    return [
      ok('concurrency', `${asked} streams at once over HTTP/1.1, all answered within ${duration(waited)}`),
    ]
  // A server that speaks nothing but HTTP/2 refuses all of them in TLS.
  if (failures.length === asked)
    return [info('concurrency', `None of ${asked} was to be had over HTTP/1.1 (${tally(failures)}).`)]
  const others = statuses.filter((status) => status !== 200)
  const parts = [
    `${good} of ${asked} streams at once were answered with 200`,
    ...(others.length > 0 ? [`with other statuses: ${tally(others)}`] : []),
    ...(failures.length > 0 ? [`failed: ${tally(failures)}`] : []),
    ...(unanswered > 0 ? [`without an answer within ${duration(waited)}: ${unanswered}`] : []),
  ]
  return [warning('concurrency', `${parts.join('; ')}.`)]
}

function tally(values: readonly (string | number)[]): string {
  const counts = new Map<string | number, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts].map(([value, n]) => `${n} × ${value}`).join(', ')
}

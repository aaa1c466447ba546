// When things arrive: headers, the first byte, events one by one or held back, heartbeats; and what compression does
// to that. From one side of a connection much of it cannot be told, and then that is what is said.

import { error, info, ok, type Rule, warning } from '../finding.ts'
import type { Exchange, StreamSeen } from '../observations.ts'
import { count, duration, median, quoted, size } from '../text.ts'
import { clumpsOf, pairedHeartbeats, pattern, splitBlocks, stampSpread } from './clumps.ts'
import { isStream } from './opening.ts'

/** What a person notices, and no path around the world takes. */
const LATE = 1_000
/** Headers and body so close came as one. */
const AS_ONE = 50
/** A silence as long as this meets the first idle timeouts on the way: 50 to 60 s. */
const LONG_SILENCE = 45_000
/** Silences shorter than this are the traffic's own. */
const SILENCE = 500

export const headersLate: Rule = ({ main }) => {
  const { response, body, sentAt, connectedAt } = main
  if (response?.status !== 200) return []
  const delay = response.at - (sentAt ?? connectedAt ?? 0)
  const connected = `connected after ${duration(connectedAt ?? 0)}`
  if (delay < LATE) return [ok('headers-late', `${duration(delay)} to the response headers (${connected})`)]
  const first = body?.firstWireByteAt
  const why =
    first !== undefined && first - response.at < AS_ONE
      ? ' The first of the body came with them: headers wait for the first event (or a full buffer), in the application or in a proxy.'
      : ''
  return [
    warning(
      'headers-late',
      `${duration(delay)} from the request to the response headers (${connected}).${why}`,
    ),
  ]
}

export const firstByte: Rule = ({ main }) => {
  const { response, body, watchedUntil } = main
  if (!response || !body || !isStream(main)) return []
  if (body.firstWireByteAt !== undefined) {
    const delay = body.firstWireByteAt - response.at
    if (delay < LATE)
      return [ok('first-byte-late', `${duration(delay)} from the headers to the first byte of the body`)]
    return [warning('first-byte-late', `${duration(delay)} from the headers to the first byte of the body.`)]
  }
  const watched = watchedUntil - response.at
  if (watched < LATE || main.end) return []
  return [
    warning(
      'first-byte-late',
      `No byte of the body in ${duration(watched)} after the headers. Whether nothing was sent or something holds it back cannot be told from this side: a first block at once would.`,
    ),
  ]
}

export const compression: Rule = ({ main, plain }) => {
  const { response, body } = main
  const silentAsCompressed = !response && plain && isStream(plain)
  if (silentAsCompressed) {
    return [
      error(
        'compression-holds',
        `With Accept-Encoding nothing came within ${duration(main.watchedUntil)}; without it, headers after ${duration(plain.response?.at ?? 0)} and ${count(plain.body?.blockCount ?? 0, 'block')}.`,
      ),
    ]
  }
  if (!response || !body || !isStream(main)) return []
  const coding = response.headers['content-encoding']
  if (coding === undefined || /^\s*identity\s*$/i.test(coding)) return [ok('compressed', 'not compressed')]
  if (body.stopped === 'bad-compression')
    return [error('compression-unreadable', `Content-Encoding: ${quoted(coding)}.`)]
  const came = `Content-Encoding: ${quoted(coding)}; ${size(body.wireBytes)} came, which hold ${count(body.blockCount, 'block')}`
  const beside = plain?.body?.blockCount ?? 0
  // Opened at nearly the same time, the two should have seen much the same.
  if (beside > 0 && body.blockCount === 0 && (!main.end || main.end.at > LATE)) {
    return [
      error(
        'compression-holds',
        `${came}; without compression ${count(beside, 'block')} came in the same time.`,
      ),
    ]
  }
  if (heldBack(body).length > 0) return [error('compression-holds', `${came}, in clumps.`)]
  if (body.blockCount > 0) return [info('compressed', `${came}, as they were sent.`)]
  return [info('compressed', `${came}: whether it arrives as it is sent cannot be told from that.`)]
}

export const buffering: Rule = ({ main }) => {
  const { body } = main
  if (!body || !isStream(main)) return []
  const held = heldBack(body)
  if (held.length > 0) return [error('held-back', `${held.join('; ')}.`)]
  const clumps = clumpsOf(body.blocks)
  const shape = pattern(clumps)
  if (shape) {
    return [
      info(
        'clumps',
        `${count(body.blockCount, 'block')} in ${count(clumps.length, 'clump')}: some ${shape.blocks} at a time, ${duration(shape.gap)} apart.`,
      ),
    ]
  }
  if (clumps.length < 3) return []
  return [
    ok(
      'held-back',
      `${count(body.blockCount, 'block')} at ${count(clumps.length, 'moment')}, none held back that can be seen`,
    ),
  ]
}

/** Signs that what arrived together, or in halves, was not sent so. */
function heldBack({ blocks }: StreamSeen): string[] {
  const clumps = clumpsOf(blocks)
  const signs: string[] = []
  const stamps = stampSpread(clumps)
  if (stamps) {
    signs.push(
      `${stamps.events} events that arrived at one moment carry times that are up to ${duration(stamps.spread)} apart`,
    )
  }
  const split = splitBlocks(blocks)
  if (split.length >= 2 && clumps.length >= 2) {
    signs.push(
      `${split.length} small blocks were cut in two, the second half ${duration(median(split) ?? 0)} after the first, as a buffer does that is sent on when it is full`,
    )
  }
  const heartbeats = pairedHeartbeats(clumps)
  if (heartbeats.clumps >= 2 || heartbeats.most >= 3) {
    signs.push(`up to ${heartbeats.most} heartbeats arrived at one moment`)
  }
  return signs
}

export const heartbeat: Rule = ({ main }) => {
  const { response, body } = main
  if (!response || !body || !isStream(main)) return []
  const silences = heartbeatSilences(body)
  const interval = median(silences)
  const longest = longestSilence(main)
  if (interval !== undefined) {
    const seen = `A heartbeat after ${duration(interval)} of silence (median of ${silences.length})`
    return [interval >= LONG_SILENCE ? warning('heartbeat', `${seen}.`) : ok('heartbeat', seen)]
  }
  if (longest >= LONG_SILENCE)
    return [warning('heartbeat', `Nothing came in ${duration(longest)}: no heartbeat.`)]
  return [
    info(
      'heartbeat',
      `None seen; the longest silence was ${duration(longest)}, which says nothing about a heartbeat that comes after more.`,
    ),
  ]
}

/** How long it had been silent when each heartbeat came. */
function heartbeatSilences({ blocks }: StreamSeen): number[] {
  return blocks.flatMap(({ heartbeat: is, at }, index) => {
    const before = blocks[index - 1]
    return is && before && at - before.at >= SILENCE ? [at - before.at] : []
  })
}

export function longestSilence({ response, body, end, watchedUntil }: Exchange): number {
  if (!response || !body) return 0
  let last = response.at
  let longest = 0
  for (const { at } of body.blocks) {
    longest = Math.max(longest, at - last)
    last = at
  }
  // Blocks beyond those that are remembered came, too.
  if (body.blocks.length < body.blockCount) return longest
  return Math.max(longest, (end?.at ?? watchedUntil) - Math.max(last, body.lastWireByteAt ?? 0))
}

// What a client meets that comes back: ids to resume by, what is done with them, and when it is to come.

import { error, type Finding, info, ok, type Rule, warning } from '../finding.ts'
import type { Exchange, Observations, Resume } from '../observations.ts'
import { count, duration, quoted } from '../text.ts'
import { isStream } from './opening.ts'

export const ids: Rule = ({ main }) => {
  const { body } = main
  if (!body || !isStream(main)) return []
  const events = body.blocks.filter(({ fired, heartbeat }) => fired && !heartbeat)
  const withId = events.filter(({ id }) => id !== undefined).length
  const given = body.blocks.filter(({ id }) => id !== undefined).length
  if (withId > 0 && withId < events.length) {
    return [
      info(
        'ids',
        `${withId} of ${count(events.length, 'event')} carry an id; those without cannot be resumed after.`,
      ),
    ]
  }
  if (withId > 0) return [ok('ids', `${count(withId, 'event')}, each with an id`)]
  if (given > 0)
    return [ok('ids', `${count(given, 'id')} without data: the client can resume from its position`)]
  if (events.length > 0) return [warning('ids', `${count(events.length, 'event')}, none with an id.`)]
  return [
    info(
      'ids',
      'No event came, so no id was seen. A first block with an id would let clients resume from before their first event.',
    ),
  ]
}

export const resuming: Rule = (seen) => {
  const { resume, main } = seen
  const asked = seen.sentLastEventId === undefined ? [] : outcome(main, quoted(seen.sentLastEventId))
  if (!resume) return asked
  return [...asked, resumed(resume)]
}

/** What the server said of the user's own id, where it says such things. */
function outcome({ response }: Exchange, id: string): Finding[] {
  const said = response?.headers['sluice-resume']
  if (said === undefined) return []
  return [
    said === 'full'
      ? ok('resume', `after ${id}: Sluice-Resume: full`)
      : info('resume', `After ${id}: Sluice-Resume: ${quoted(said)}.`),
  ]
}

function resumed({ id, missed, before, exchange }: Resume): Finding {
  const { response, body, failure } = exchange
  const asked = `Asked for what came after ${quoted(id)}`
  if (!response || !body)
    return warning(
      'resume-refused',
      `${asked}: ${failure?.code ?? 'no answer'} within ${duration(exchange.watchedUntil)}.`,
    )
  if (response.status === 204)
    return info('resume', `${asked}: 204, the stream is over and clients stop asking.`)
  if (!isStream(exchange))
    return error(
      'resume-refused',
      `${asked}: ${response.status} ${quoted(response.headers['content-type'] ?? 'no type')}.`,
    )
  const said = response.headers['sluice-resume']
  const header = said === undefined ? '' : `, Sluice-Resume: ${quoted(said)}`
  const got = new Set(
    body.blocks.flatMap((block) => (block.fired && block.id !== undefined ? [block.id] : [])),
  )
  const again = missed.filter((one) => got.has(one)).length
  const old = before.filter((one) => got.has(one)).length
  if (old > 0) {
    return warning(
      'resume',
      `${asked}: ${count(old, 'event')} up to that id came again${header}. The server begins anew, or an answer came from a cache.`,
    )
  }
  const gap = said === 'gap' || body.blocks.some(({ event }) => event === 'gap')
  if (missed.length > 0 && again === missed.length)
    return ok('resume', `${asked}: all ${missed.length} missed came again${header}`)
  if (gap) return info('resume', `${asked}: the server says that there is a gap${header}.`)
  if (missed.length > 0) {
    return warning(
      'resume',
      `${asked}: ${again} of ${missed.length} that were missed came again within ${duration(exchange.watchedUntil)}${header}.`,
    )
  }
  if (said === 'full') return ok('resume', `${asked}: Sluice-Resume: full; there was nothing to miss`)
  return info(
    'resume',
    `${asked}: answered${header}, but nothing had come after it, so it cannot be told whether missed events are sent again.`,
  )
}

export const hostileIds: Rule = ({ main, unknownId, hostileId }) => {
  if (!isStream(main) || (!unknownId && !hostileId)) return []
  const faults = [
    fault('an id that it never gave', unknownId),
    fault('a malformed id of 1 KB', hostileId),
  ].filter((one) => one !== '')
  if (faults.length === 0)
    return [ok('last-event-id-unsafe', 'unknown and malformed ids are answered with the stream')]
  return [warning('last-event-id-unsafe', `${faults.join('; ')}.`)]
}

function fault(what: string, exchange: Exchange | undefined): string {
  if (!exchange || isStream(exchange)) return ''
  const { response, failure, watchedUntil } = exchange
  if (response)
    return `with ${what}: ${response.status} ${quoted(response.headers['content-type'] ?? 'without a content type')}`
  return `with ${what}: ${failure ? `no answer (${failure.code})` : `no answer within ${duration(watchedUntil)}`}`
}

/** Below this a client that comes back at once, again and again, is a storm. */
const TOO_SOON = 100
const TOO_LATE = 300_000

export const retry: Rule = ({ main }: Observations) => {
  const { body } = main
  if (!body || !isStream(main)) return []
  const last = body.retries.at(-1)
  if (last === undefined) return [info('retry', 'None seen.')]
  const wrong = body.retries.find((value) => !/^[0-9]+$/.test(value))
  if (wrong !== undefined)
    return [warning('retry', `retry: ${quoted(wrong)} is not in digits alone, and is ignored.`)]
  const ms = Number(last)
  if (ms < TOO_SOON)
    return [
      warning(
        'retry',
        `retry: ${quoted(last)}, so clients of a server that is down come back as fast as they can.`,
      ),
    ]
  if (ms > TOO_LATE)
    return [warning('retry', `retry: ${quoted(last)}, so clients stay away for ${duration(ms)}.`)]
  return [ok('retry', `retry: ${last}`)]
}

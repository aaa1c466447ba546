// How the stream ended, if it was not we who ended it: by an idle timeout, in the middle, or as the server meant it.

import { error, type Finding, info, ok, type Rule, warning } from '../finding.ts'
import type { EndKind } from '../observations.ts'
import { count, duration } from '../text.ts'
import { isStream } from './opening.ts'

/** A silence of so long before the end points to the silence as its cause. */
const SILENCE = 900
/** Ages above this are not those of "an answer and the end". */
const SOME_TIME = 1_000

export const HOW: Readonly<Record<EndKind, string>> = {
  complete: 'in good order',
  fin: 'with a FIN, which here marks a complete and a cut stream alike',
  truncated: 'with a FIN in the middle of the body',
  reset: 'with a reset (RST)',
  'h2-reset': 'by a reset of the HTTP/2 stream or its session',
}

export const ending: Rule = ({ main }) => {
  const { response, body, end, watchedUntil } = main
  if (!response || !body || !isStream(main)) return []
  if (!end) {
    if (body.stopped === 'flood' || body.stopped === 'overflow') return []
    return [ok('idle-timeout', `open for ${duration(watchedUntil - response.at)}, and it was we who left`)]
  }
  const age = end.at - response.at
  const silence = end.at - Math.max(response.at, body.lastWireByteAt ?? 0)
  const told = `Ended ${HOW[end.how]}${end.code === undefined ? '' : ` (${end.code})`} at an age of ${duration(age)}, after ${duration(silence)} of silence and ${count(body.events, 'event')}.`
  const broken = end.how !== 'complete' && end.how !== 'fin'
  // What ends in silence was not ended by an event of the application's; how it ended then hardly matters.
  if (silence >= SILENCE && (broken || age >= SOME_TIME)) return [byTimeout(told, silence, end.how)]
  if (broken) return [error('cut', told)]
  // Only a reconnection time: a refusal that browsers understand (Sluice refuses so while it shuts down).
  if (body.events === 0 && body.retries.length > 0)
    return [info('ends', `${told} It only said when to come back.`)]
  return [warning('ends', told)]
}

function byTimeout(told: string, silence: number, how: EndKind): Finding {
  const seconds = silence / 1_000
  const whole =
    Math.abs(seconds - Math.round(seconds)) < 0.25
      ? ` That is close to ${Math.round(seconds)} s, as timeouts are set.`
      : ''
  // In good order it may also be the application that has nothing more to say.
  return how === 'complete'
    ? warning('idle-timeout', `${told}${whole}`)
    : error('idle-timeout', `${told}${whole}`)
}

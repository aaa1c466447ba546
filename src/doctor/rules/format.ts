// What the bytes of the stream are like, where that goes wrong with somebody.

import { error, type Finding, info, type Rule, warning } from '../finding.ts'
import { count, duration, quoted, size } from '../text.ts'
import { isStream } from './opening.ts'

/** A block that has begun and not ended for so long is not on its way. */
const STUCK = 1_000

export const format: Rule = ({ main }) => {
  const { body, end, watchedUntil } = main
  if (!body || !isStream(main)) return []
  const findings: Finding[] = []
  const say = (finding: Finding): void => void findings.push(finding)

  if (body.bom) say(warning('bom', 'The stream begins with EF BB BF.'))
  const { lf, crlf, cr } = body.lineEnds
  if (cr > 0)
    say(warning('line-ends', `${count(cr, 'line')} ended in a bare CR, ${crlf} in CRLF, ${lf} in LF.`))
  else if (crlf > 0) say(info('line-ends', `${count(crlf, 'line')} ended in CRLF, ${lf} in LF.`))
  if (body.nulIds > 0) say(warning('nul-id', `${count(body.nulIds, 'id')} with NUL.`))
  const silence = watchedUntil - (body.lastWireByteAt ?? watchedUntil)
  if (body.unfinishedBytes > 0 && body.stopped === undefined && (end || silence >= STUCK)) {
    const when = end ? 'when the stream ended' : `for the last ${duration(silence)}`
    say(warning('unterminated', `${body.unfinishedBytes} bytes of a block without its empty line ${when}.`))
  }
  if (body.unknownFieldCount > 0) {
    const names = body.unknownFields.map((name) => quoted(name, 40)).join(', ')
    say(warning('unknown-fields', `${count(body.unknownFieldCount, 'line')}: ${names}.`))
  }
  if (body.datalessEvents > 0) {
    say(
      warning('event-without-data', `${count(body.datalessEvents, 'block')} with event: and without data:.`),
    )
  }
  if (body.badUtf8) say(warning('not-utf8', 'There are bytes that are not UTF-8.'))
  if (body.stopped === 'overflow') say(error('too-large', 'An event of more than 4 MiB.'))
  if (body.stopped === 'flood') {
    say(
      info(
        'too-large',
        `Stopped reading after ${size(Math.max(body.bytes, body.wireBytes))} and ${count(body.blockCount, 'block')}.`,
      ),
    )
  }
  return findings
}

// Whether a page of another origin may read the stream (Fetch, "CORS protocol").

import { error, type Finding, info, ok, type Rule, warning } from '../finding.ts'
import type { Exchange } from '../observations.ts'
import { quoted } from '../text.ts'

export const cors: Rule = ({ origin, main, preflight, credentials }) => {
  if (origin === undefined || !main.response) return []
  const { headers } = main.response
  const allowed = headers['access-control-allow-origin']
  if (allowed === undefined) return [error('cors', `No Access-Control-Allow-Origin for ${origin}.`)]
  if (allowed !== '*' && allowed !== origin) {
    const twice = allowed.includes(',') ? ', which browsers take for no origin at all' : ''
    return [error('cors', `Access-Control-Allow-Origin: ${quoted(allowed)}${twice}, for ${origin}.`)]
  }
  const findings: Finding[] = [ok('cors', `Access-Control-Allow-Origin: ${quoted(allowed)}`)]
  if (allowed !== '*' && !/\borigin\b/i.test(headers.vary ?? '')) {
    findings.push(
      info(
        'cors',
        `Access-Control-Allow-Origin: ${quoted(allowed)} without Vary: Origin; where it depends on the request, caches mix it up.`,
      ),
    )
  }
  if (allowed === '*' || headers['access-control-allow-credentials'] !== 'true') {
    const told =
      allowed === '*'
        ? 'Access-Control-Allow-Origin is *'
        : 'There is no Access-Control-Allow-Credentials: true'
    findings.push(
      credentials
        ? warning('cors-credentials', `${told}, and the request carries credentials.`)
        : info('cors-credentials', `${told}.`),
    )
  }
  return preflight ? [...findings, preflighted(preflight, origin)] : findings
}

function preflighted({ response, failure }: Exchange, origin: string): Finding {
  if (!response) return info('cors-preflight', `OPTIONS: no answer${failure ? ` (${failure.code})` : ''}.`)
  const allowed = response.headers['access-control-allow-origin']
  const fields = response.headers['access-control-allow-headers'] ?? ''
  const names = fields.split(',').map((name) => name.trim().toLowerCase())
  const granted = names.includes('last-event-id') || names.includes('*')
  const ours = allowed === '*' || allowed === origin
  if (response.status >= 200 && response.status < 300 && ours && granted)
    return ok('cors-preflight', 'a preflight for Last-Event-ID is granted')
  return info(
    'cors-preflight',
    `OPTIONS: ${response.status}, Access-Control-Allow-Headers: ${quoted(fields)}.`,
  )
}

// The rules, one by one, over observations made by hand: mostly what a real server is slow or unwilling to show.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Finding, Rule } from '../../src/doctor/finding.ts'
import type { BlockSeen, Exchange, Observations } from '../../src/doctor/observations.ts'
import { buffering, compression, firstByte, headersLate, heartbeat } from '../../src/doctor/rules/arrival.ts'
import { concurrency, versions } from '../../src/doctor/rules/connections.ts'
import { ending } from '../../src/doctor/rules/ending.ts'
import { format } from '../../src/doctor/rules/format.ts'
import {
  caching,
  connection,
  contentType,
  framing,
  redirects,
  response,
  status,
} from '../../src/doctor/rules/opening.ts'
import { cors } from '../../src/doctor/rules/origins.ts'
import { hostileIds, ids, resuming, retry } from '../../src/doctor/rules/returning.ts'
import { diagnose, worst } from '../../src/doctor/rules.ts'
import { aBlock, aBody, anEnd, anExchange, aResponse, observed } from '../support/observed.ts'

/** "severity code" of what a rule says. */
function said(rule: Rule, seen: Observations): string[] {
  return rule(seen).map(({ severity, code }) => `${severity} ${code}`)
}

function evidence(rule: Rule, seen: Observations): string {
  return rule(seen)
    .map((finding) => finding.evidence)
    .join(' | ')
}

const every = (
  ms: number,
  n: number,
  more: (index: number) => Partial<BlockSeen> = () => ({}),
): BlockSeen[] => Array.from({ length: n }, (_, index) => aBlock(20 + index * ms, more(index)))

test('a healthy stream has nothing worse than an info, and every rule bears what was not observed', () => {
  assert.equal(worst(diagnose(observed())), 'info')
  const nothing = observed({ response: undefined, body: undefined })
  assert.deepEqual(
    diagnose(nothing).map(({ code }) => code),
    ['no-response'],
  )
  assert.equal(worst([]), 'ok')
})

test('connection: by what failed', () => {
  const failed = (code: string, during: 'connect' | 'tls'): Observations =>
    observed({ response: undefined, connectedAt: undefined, failure: { code, message: 'no', during } })
  assert.deepEqual(said(connection, failed('ENOTFOUND', 'connect')), ['error unreachable'])
  assert.deepEqual(said(connection, failed('DEPTH_ZERO_SELF_SIGNED_CERT', 'tls')), ['error certificate'])
  assert.match(evidence(connection, failed('DEPTH_ZERO_SELF_SIGNED_CERT', 'tls')), /not trusted/)
  assert.match(evidence(connection, failed('ERR_SSL_WRONG_VERSION_NUMBER', 'tls')), /handshake failed/)
  assert.deepEqual(said(connection, observed({ certificate: 'CERT_HAS_EXPIRED' })), ['warning certificate'])
  assert.deepEqual(said(connection, observed()), [])
})

test('response: silence, a close, and what cannot be read', () => {
  const without = (more: Partial<Exchange>, also: Partial<Observations> = {}): Observations =>
    observed({ response: undefined, body: undefined, ...more }, also)
  assert.match(evidence(response, without({})), /no response headers within 6\.0 s.* cannot be told/)
  const plain = anExchange({ response: aResponse({}, { at: 40 }) })
  assert.match(evidence(response, without({}, { plain })), /Without Accept-Encoding .* after 40 ms/)
  const failed = (code: string): Partial<Exchange> => ({
    failure: { code, message: 'no', during: 'response' },
  })
  assert.deepEqual(said(response, without(failed('ECONNRESET'))), ['error no-response'])
  assert.deepEqual(said(response, without(failed('HPE_HEADER_OVERFLOW'))), ['error bad-response'])
  // Interrupted at once, silence says nothing.
  assert.deepEqual(said(response, without({ watchedUntil: 300 }, { interrupted: true })), [])
  assert.deepEqual(said(response, observed()), [])
})

test('redirects: within the origin, to another, from https to http', () => {
  const one = { status: 302, from: 'https://a.example/x', location: '/y', to: 'https://a.example/y' }
  assert.deepEqual(said(redirects, observed({}, { redirects: [one] })), ['info redirect'])
  const other = { ...one, location: 'https://b.example/', to: 'https://b.example/' }
  assert.deepEqual(said(redirects, observed({}, { redirects: [one, other] })), [
    'info redirect',
    'warning redirect-cross-origin',
  ])
  const insecure = { ...one, location: 'http://a.example/', to: undefined, why: 'insecure' as const }
  assert.match(evidence(redirects, observed({}, { redirects: [insecure] })), /mixed content/)
})

test('status: every kind has its own code', () => {
  const of = (code: number): string[] => said(status, observed({ response: aResponse({}, { status: code }) }))
  assert.deepEqual(
    [200, 204, 403, 407, 503, 504, 404, 304].map((code) => of(code)[0]),
    [
      'ok status',
      'warning status-204',
      'error status-auth',
      'error status-auth',
      'error status-limit',
      'error status-gateway',
      'error status',
      'error status',
    ],
  )
  assert.deepEqual(of(302), [], 'a redirect is told by its own rule')
})

test('content type: any case and parameter of text/event-stream, and nothing else', () => {
  const of = (type: string): string[] =>
    said(contentType, observed({ response: aResponse({ 'content-type': type }) }))
  assert.deepEqual(of('text/event-stream'), ['ok content-type'])
  assert.deepEqual(of('Text/Event-Stream; charset=UTF-8'), ['ok content-type'])
  assert.deepEqual(of('text/event-stream;charset="latin1"'), ['ok content-type', 'warning charset'])
  assert.deepEqual(of('text/event-streams'), ['error content-type'])
  assert.deepEqual(of('text/plain, text/event-stream'), ['error content-type'])
})

test('caching: what is enough, and the signs of a hit', () => {
  const of = (headers: Record<string, string>): string[] =>
    said(caching, observed({ response: aResponse(headers) }))
  assert.deepEqual(of({}), ['ok cache-control'])
  assert.deepEqual(of({ 'cache-control': 'no-cache' }), ['ok cache-control', 'info no-transform'])
  assert.deepEqual(of({ 'cache-control': 'max-age=60' }), ['warning cache-control'])
  assert.deepEqual(of({ age: '0', 'cf-cache-status': 'DYNAMIC' }), ['ok cache-control'])
  for (const hit of [
    { age: '5' },
    { 'x-cache': 'HIT' },
    { 'cf-cache-status': 'HIT' },
    { 'x-proxy-cache': 'STALE' },
  ]) {
    assert.deepEqual(of(hit as Record<string, string>), ['ok cache-control', 'error cached'])
  }
})

test('framing: HTTP/1.0 and a length', () => {
  const of = (more: Parameters<typeof aResponse>[1], headers = {}): string[] =>
    said(framing, observed({ response: aResponse(headers, more) }))
  assert.deepEqual(of({ httpVersion: '1.0' }), ['warning http-1.0', 'ok protocol'])
  assert.deepEqual(of({ framing: 'length' }, { 'content-length': '9' }), [
    'error content-length',
    'ok protocol',
  ])
})

test('versions: the note on six connections is a warning only where HTTP/2 could be', () => {
  assert.deepEqual(said(versions, observed()), ['info six-connections'])
  assert.deepEqual(said(versions, observed({}, { secure: true })), ['warning six-connections'])
  assert.deepEqual(said(versions, observed({}, { secure: true, http1: true })), ['info six-connections'])
  const h2 = (most: number | undefined): Observations =>
    observed(
      { response: aResponse({}, { httpVersion: '2.0', maxConcurrentStreams: most }) },
      { secure: true },
    )
  assert.deepEqual(said(versions, h2(128)), ['ok six-connections'])
  assert.deepEqual(said(versions, h2(undefined)), ['ok six-connections'])
  assert.deepEqual(said(versions, h2(10)), ['warning h2-streams'])
})

test('concurrency: refused, unanswered, failed, or not to be had over HTTP/1.1 at all', () => {
  const of = (statuses: number[], failures: string[], unanswered: number): Observations =>
    observed({}, { seven: { asked: 7, statuses, failures, unanswered, waited: 2_500 } })
  assert.deepEqual(said(concurrency, of(Array(7).fill(200), [], 0)), ['ok concurrency'])
  assert.match(
    evidence(concurrency, of([200, 200], ['ECONNRESET', 'ECONNRESET'], 3)),
    /2 of 7 .*failed: 2 × ECONNRESET; without an answer .*: 3/,
  )
  assert.deepEqual(said(concurrency, of([], Array(7).fill('ERR_SSL_NO_ALPN'), 0)), ['info concurrency'])
})

test('headers late: alone, and together with the first of the body', () => {
  const late = { response: aResponse({}, { at: 2_000 }) }
  assert.deepEqual(said(headersLate, observed()), ['ok headers-late'])
  assert.match(
    evidence(headersLate, observed({ ...late, body: aBody([aBlock(2_005)]) })),
    /2\.0 s .* came with them/,
  )
  assert.doesNotMatch(
    evidence(headersLate, observed({ ...late, body: aBody([aBlock(4_000)]) })),
    /came with them/,
  )
})

test('first byte: late, none, and too short a look to say', () => {
  assert.deepEqual(said(firstByte, observed({ body: aBody([aBlock(1_500)]) })), ['warning first-byte-late'])
  assert.deepEqual(said(firstByte, observed({ body: aBody() })), ['warning first-byte-late'])
  assert.deepEqual(said(firstByte, observed({ body: aBody(), watchedUntil: 500 })), [])
  assert.deepEqual(said(firstByte, observed({ body: aBody(), ...anEnd('complete', 3_000) })), [])
})

test('buffering: one by one, too few to say, and clumps that may be the server’s own', () => {
  const of = (blocks: BlockSeen[]): string[] => said(buffering, observed({ body: aBody(blocks) }))
  assert.deepEqual(of(every(100, 20)), ['ok held-back'])
  assert.deepEqual(of(every(100, 2)), [])
  assert.deepEqual(
    of([0, 1_000, 2_000, 3_000].flatMap((at) => [aBlock(at), aBlock(at + 1), aBlock(at + 2)])),
    ['info clumps'],
  )
})

test('buffering: the server’s own times betray it, if they are times of sending', () => {
  const clumped = (stamp: (clump: number, index: number) => number): Observations =>
    observed({
      body: aBody(
        [0, 1, 2, 3].flatMap((clump) =>
          [0, 1, 2, 3].map((index) => aBlock(1_000 * clump + index, { stamp: stamp(clump, index) })),
        ),
      ),
    })
  const base = 1_800_000_000_000
  assert.deepEqual(
    said(
      buffering,
      clumped((clump, index) => base + 1_000 * clump + 250 * index),
    ),
    ['error held-back'],
  )
  assert.deepEqual(
    said(
      buffering,
      clumped((clump, index) => base + 1_000 * clump + index),
    ),
    ['info clumps'],
  )
  // Dates of records, years apart or in no order, are no times of sending.
  assert.deepEqual(
    said(
      buffering,
      clumped((clump, index) => base + 1e8 * (4 * clump + index)),
    ),
    ['info clumps'],
  )
  assert.deepEqual(
    said(
      buffering,
      clumped((clump, index) => base - 1_000 * clump - 250 * index),
    ),
    ['info clumps'],
  )
  // Whole seconds may be one off.
  assert.deepEqual(
    said(
      buffering,
      clumped((clump, index) => base + 1_000 * (clump + (index > 2 ? 1 : 0))),
    ),
    ['info clumps'],
  )
})

test('buffering: a replay at the start is no sign, whatever its times', () => {
  const replay = Array.from({ length: 10 }, (_, index) =>
    aBlock(20, { stamp: 1_800_000_000_000 + index * 1_000 }),
  )
  const live = every(500, 8, (index) => ({ stamp: 1_800_000_020_000 + index * 500 })).map((block) => ({
    ...block,
    at: block.at + 500,
    begunAt: block.at + 500,
  }))
  assert.deepEqual(said(buffering, observed({ body: aBody([...replay, ...live]) })), ['ok held-back'])
})

test('buffering: blocks in halves, unless they are large; heartbeats in pairs', () => {
  const halved = (bytes: number): BlockSeen[] =>
    [0, 1_000, 2_000].map((at) => aBlock(at + 900, { begunAt: at, bytes }))
  assert.deepEqual(said(buffering, observed({ body: aBody(halved(300)) })), ['error held-back'])
  assert.deepEqual(said(buffering, observed({ body: aBody(halved(1_000_000)) })), ['ok held-back'])
  const beat = { fired: false, heartbeat: true, event: undefined }
  const pairs = [0, 1_000, 2_000].flatMap((at) => [aBlock(at, beat), aBlock(at + 1, beat)])
  assert.deepEqual(said(buffering, observed({ body: aBody(pairs) })), ['error held-back'])
})

test('compression: none, as it comes, held, and unreadable', () => {
  const gzip = aResponse({ 'content-encoding': 'gzip' })
  const of = (main: Partial<Exchange>, more: Partial<Observations> = {}): string[] =>
    said(compression, observed(main, more))
  assert.deepEqual(of({}), ['ok compressed'])
  assert.deepEqual(of({ response: aResponse({ 'content-encoding': 'identity' }) }), ['ok compressed'])
  assert.deepEqual(of({ response: gzip, body: aBody(every(100, 9)) }), ['info compressed'])
  assert.deepEqual(of({ response: gzip, body: aBody() }), ['info compressed'])
  const plain = anExchange({ body: aBody(every(100, 9)) })
  assert.deepEqual(of({ response: gzip, body: aBody() }, { plain }), ['error compression-holds'])
  assert.deepEqual(of({ response: undefined, body: undefined }, { plain }), ['error compression-holds'])
  assert.deepEqual(of({ response: gzip, body: aBody([], { stopped: 'bad-compression' }) }), [
    'error compression-unreadable',
  ])
})

test('heartbeat: the silence before each, by comment or by name; long ones and none at all', () => {
  const beat = { fired: false, heartbeat: true, event: undefined }
  assert.match(
    evidence(heartbeat, observed({ body: aBody(every(2_000, 4, () => beat)) })),
    /after 2\.0 s of silence \(median of 3\)/,
  )
  const slow = observed({ body: aBody(every(50_000, 3, () => beat)), watchedUntil: 130_000 })
  assert.deepEqual(said(heartbeat, slow), ['warning heartbeat'])
  assert.deepEqual(said(heartbeat, observed({ watchedUntil: 60_000 })), ['warning heartbeat'])
  assert.match(evidence(heartbeat, observed()), /longest silence was 6\.0 s/)
  // Of a flood only the first blocks are remembered; what came after was no silence.
  const flood = aBody(every(1, 10), { blockCount: 100_000 })
  assert.deepEqual(said(heartbeat, observed({ body: flood, watchedUntil: 60_000 })), ['info heartbeat'])
})

test('ending: by silence, in the middle, in good order, and not at all', () => {
  const of = (...end: Parameters<typeof anEnd>): string[] => said(ending, observed(anEnd(...end)))
  assert.deepEqual(said(ending, observed()), ['ok idle-timeout'])
  assert.deepEqual(of('truncated', 60_012), ['error idle-timeout'])
  assert.deepEqual(of('fin', 60_012), ['error idle-timeout'])
  assert.deepEqual(of('complete', 60_012), ['warning idle-timeout'])
  assert.deepEqual(of('reset', 500), ['error cut'])
  assert.deepEqual(of('h2-reset', 500), ['error cut'])
  assert.deepEqual(of('complete', 500), ['warning ends'])
  assert.match(evidence(ending, observed(anEnd('truncated', 60_012))), /60 s of silence.*close to 60 s/)
  const only = observed({
    body: aBody([aBlock(12, { fired: false })], { retries: ['3000'] }),
    ...anEnd('complete', 20),
  })
  assert.deepEqual(said(ending, only), ['info ends'])
  assert.deepEqual(said(ending, observed({ body: aBody([], { stopped: 'flood' }) })), [])
})

test('ids: on all, on some, on none, and a position alone', () => {
  const of = (blocks: BlockSeen[]): string[] => said(ids, observed({ body: aBody(blocks) }))
  assert.deepEqual(of(every(10, 3, (index) => ({ id: String(index) }))), ['ok ids'])
  assert.deepEqual(of(every(10, 3, (index) => (index === 1 ? { id: '1' } : {}))), ['info ids'])
  assert.deepEqual(of(every(10, 3)), ['warning ids'])
  assert.deepEqual(of([aBlock(10, { id: 'e-5', fired: false })]), ['ok ids'])
  assert.deepEqual(of([aBlock(10, { fired: false, heartbeat: true })]), ['info ids'])
  // Heartbeats that are events need none.
  assert.deepEqual(of([aBlock(10, { heartbeat: true, event: 'ping' })]), ['info ids'])
})

test('resuming: exact, in part, from the start, with a gap told, over, refused, or not to be told', () => {
  const of = (
    exchange: Partial<Exchange>,
    missed = ['3', '4'],
    more: Partial<Observations> = {},
  ): Finding[] =>
    resuming(
      observed(
        {},
        { resume: { id: '2', missed, before: ['1', '2'], exchange: anExchange(exchange) }, ...more },
      ),
    )
  const with_ = (...given: string[]): Partial<Exchange> => ({
    body: aBody(given.map((id) => aBlock(20, { id }))),
  })
  const severity = (findings: Finding[]): string[] => findings.map((one) => `${one.severity} ${one.code}`)
  assert.deepEqual(severity(of(with_('3', '4', '5'))), ['ok resume'])
  assert.deepEqual(severity(of(with_('4', '5'))), ['warning resume'])
  assert.deepEqual(severity(of(with_('1', '2', '3', '4'))), ['warning resume'])
  assert.deepEqual(severity(of({ response: aResponse({ 'sluice-resume': 'gap' }), body: aBody() })), [
    'info resume',
  ])
  assert.deepEqual(severity(of({ response: aResponse({}, { status: 204 }) })), ['info resume'])
  assert.deepEqual(severity(of({ response: aResponse({}, { status: 410 }) })), ['error resume-refused'])
  assert.deepEqual(severity(of({ response: undefined, body: undefined })), ['warning resume-refused'])
  assert.deepEqual(severity(of({ response: aResponse({ 'sluice-resume': 'full' }), body: aBody() }, [])), [
    'ok resume',
  ])
  assert.deepEqual(severity(of({ body: aBody() }, [])), ['info resume'])
  assert.deepEqual(said(resuming, observed()), [])
})

test('resuming: what the server said of the user’s own id', () => {
  const of = (said: string): string[] =>
    resuming(observed({ response: aResponse({ 'sluice-resume': said }) }, { sentLastEventId: 'x' })).map(
      (one) => one.severity,
    )
  assert.deepEqual(of('full'), ['ok'])
  assert.deepEqual(of('gap'), ['info'])
})

test('hostile ids: answered alike, with a status, or not at all', () => {
  const bad = anExchange({ response: aResponse({}, { status: 400 }) })
  const silent = anExchange({ response: undefined, body: undefined, watchedUntil: 2_000 })
  assert.deepEqual(said(hostileIds, observed({}, { unknownId: anExchange(), hostileId: anExchange() })), [
    'ok last-event-id-unsafe',
  ])
  assert.match(
    evidence(hostileIds, observed({}, { unknownId: anExchange(), hostileId: bad })),
    /^with a malformed id of 1 KB: 400/,
  )
  assert.match(
    evidence(hostileIds, observed({}, { unknownId: silent, hostileId: silent })),
    /no answer within 2\.0 s;/,
  )
  assert.deepEqual(said(hostileIds, observed()), [])
})

test('retry: none, good, and odd ones', () => {
  const of = (...retries: string[]): string[] =>
    said(retry, observed({ body: aBody([aBlock(1)], { retries }) }))
  assert.deepEqual(of(), ['info retry'])
  assert.deepEqual(of('3000'), ['ok retry'])
  for (const odd of ['0', '-1', '1e3', '', '86400000']) assert.deepEqual(of(odd), ['warning retry'], odd)
})

test('format: each fault on its own', () => {
  const of = (more: Parameters<typeof aBody>[1], main: Partial<Exchange> = {}): string[] =>
    said(format, observed({ body: aBody([aBlock(12)], more), ...main }))
  assert.deepEqual(of({}), [])
  assert.deepEqual(of({ bom: true }), ['warning bom'])
  assert.deepEqual(of({ lineEnds: { lf: 1, crlf: 2, cr: 0 } }), ['info line-ends'])
  assert.deepEqual(of({ lineEnds: { lf: 1, crlf: 2, cr: 3 } }), ['warning line-ends'])
  assert.deepEqual(of({ nulIds: 1 }), ['warning nul-id'])
  assert.deepEqual(of({ unknownFieldCount: 2, unknownFields: ['{"a"'] }), ['warning unknown-fields'])
  assert.deepEqual(of({ datalessEvents: 1 }), ['warning event-without-data'])
  assert.deepEqual(of({ badUtf8: true }), ['warning not-utf8'])
  assert.deepEqual(of({ stopped: 'overflow' }), ['error too-large'])
  assert.deepEqual(of({ stopped: 'flood' }), ['info too-large'])
  assert.deepEqual(of({ unfinishedBytes: 5 }), ['warning unterminated'])
  assert.deepEqual(of({ unfinishedBytes: 5, lastWireByteAt: 5_900 }), [], 'it may still be coming')
  assert.deepEqual(of({ unfinishedBytes: 5, lastWireByteAt: 5_900 }, anEnd('complete', 5_950)), [
    'warning unterminated',
  ])
})

test('cors: only where an origin was given', () => {
  const of = (headers: Record<string, string>, more: Partial<Observations> = {}): string[] =>
    said(cors, observed({ response: aResponse(headers) }, { origin: 'https://a.example', ...more }))
  assert.deepEqual(said(cors, observed()), [])
  assert.deepEqual(of({}), ['error cors'])
  assert.deepEqual(of({ 'access-control-allow-origin': '*' }), ['ok cors', 'info cors-credentials'])
  assert.deepEqual(of({ 'access-control-allow-origin': '*, *' }), ['error cors'])
  assert.deepEqual(of({ 'access-control-allow-origin': 'https://a.example' }), [
    'ok cors',
    'info cors',
    'info cors-credentials',
  ])
  const refused = anExchange({
    response: undefined,
    failure: { code: 'ECONNRESET', message: '', during: 'response' },
  })
  assert.deepEqual(
    of({ 'access-control-allow-origin': '*' }, { preflight: refused }).at(-1),
    'info cors-preflight',
  )
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CLIENT_DEFAULTS, streamSettings } from '../../src/client/options.ts'
import type { EventStreamOptions } from '../../src/client.ts'

const URL_ = 'http://127.0.0.1/'

/** As a caller without types might. */
const given = (options: Record<string, unknown>): EventStreamOptions => options as EventStreamOptions

test('without options every default is in place', () => {
  const settings = streamSettings(URL_, {})
  assert.deepEqual(
    {
      backoffBase: settings.backoff.base,
      backoffCap: settings.backoff.cap,
      maxRetries: settings.maxRetries,
      healthyAfter: settings.healthyAfter,
      connectTimeout: settings.connectTimeout,
      silence: settings.silence,
      maxBufferBytes: settings.maxBufferBytes,
    },
    CLIENT_DEFAULTS,
  )
  assert.equal(settings.method, 'GET')
  assert.equal(settings.parse, 'text')
  assert.equal(streamSettings(URL_, { body: 'x' }).method, 'POST')
  assert.equal(streamSettings(URL_, { method: 'post' }).method, 'POST')
  assert.equal(streamSettings(URL_, { method: 'QUERY', body: 'x' }).method, 'QUERY')
  assert.equal(streamSettings(new URL(URL_), { silence: 0, connectTimeout: Infinity }).silence, 0)
})

test('a wrong option is refused with its name, what was given, and the rule', () => {
  const wrong: [options: Record<string, unknown>, message: RegExp][] = [
    [{ reconnect: true }, /connect has an option "reconnect", which does not exist/],
    [{ backoff: { max: 1 } }, /backoff has an option "max"/],
    [{ backoff: 5 }, /backoff is 5; it must be an object/],
    [{ backoff: { base: -1 } }, /backoff\.base is -1/],
    [{ backoff: { cap: Infinity } }, /backoff\.cap is Infinity/],
    [{ silence: '60s' }, /silence is "60s"/],
    [{ connectTimeout: Number.NaN }, /connectTimeout is NaN/],
    [{ healthyAfter: -5 }, /healthyAfter is -5/],
    [{ maxRetries: 1.5 }, /maxRetries is 1\.5/],
    [{ maxBufferBytes: 0 }, /maxBufferBytes is 0/],
    [{ parse: 'yaml' }, /parse is "yaml"; it must be one of 'text', 'json'/],
    [{ endEvent: '' }, /endEvent is ""/],
    [{ endEvent: true }, /endEvent is true/],
    [{ lastEventId: 7 }, /lastEventId is 7/],
    [{ lastEventIdParam: '' }, /lastEventIdParam is ""/],
    [{ method: 'G T' }, /method is "G T"/],
    [{ method: 'get', body: 'x' }, /method is "GET".*takes a body|method is "get".*takes a body/],
    [{ body: new ReadableStream() }, /body is an object; it must be a function when it is a stream/],
    [{ fetch: 'node-fetch' }, /fetch is "node-fetch"; it must be a function/],
    [{ onOpen: 1 }, /onOpen is 1/],
    [{ onRetry: null }, /onRetry is null/],
    [{ onGap: {} }, /onGap is an object/],
    [{ signal: new AbortController() }, /signal is an object; it must be an AbortSignal/],
  ]
  for (const [options, message] of wrong) {
    assert.throws(() => streamSettings(URL_, given(options)), { code: 'SLUICE_BAD_OPTION', message })
  }
  assert.throws(() => streamSettings(URL_, { headers: { 'a b': 'c' } }), { code: 'SLUICE_BAD_HEADER' })
  assert.throws(() => streamSettings(URL_, { lastEventId: 'a\nb' }), { code: 'SLUICE_BAD_ID' })
})

test('a URL that fetch would refuse at every attempt is refused at once', () => {
  for (const [url, message] of [
    ['/prices', /url is "\/prices"; it must be absolute/],
    ['ftp://example.com/', /it must be http: or https:/],
    ['http://user:secret@example.com/', /put them into an Authorization header/],
  ] as const) {
    assert.throws(() => streamSettings(url, {}), { code: 'SLUICE_BAD_OPTION', message })
  }
  assert.equal(streamSettings('app://prices', { fetch }).url.href, 'app://prices')
})

test('in a page, URLs are relative to it', () => {
  const scope = globalThis as { location?: { href: string } }
  scope.location = { href: 'https://example.com/a/b' }
  try {
    assert.equal(streamSettings('../prices', {}).url.href, 'https://example.com/prices')
  } finally {
    delete scope.location
  }
})

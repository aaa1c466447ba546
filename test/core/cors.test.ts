import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkConnectOptions } from '../../src/core/connect-options.ts'
import { type CorsOptions, cors } from '../../src/core/cors.ts'
import { CoreHub } from '../support/core-hub.ts'

const answer = (option: true | CorsOptions, origin?: string) => new Map(cors(option).answer(origin))

test('true lets every origin read, without cookies', () => {
  assert.deepEqual(
    [...answer(true, 'https://a.example')],
    [
      ['Access-Control-Allow-Origin', '*'],
      ['Access-Control-Expose-Headers', 'Sluice-Resume, Sluice-Variant'],
    ],
  )
})

test('one origin, several, or a function: who is not allowed gets nothing but Vary', () => {
  for (const origin of [
    'https://a.example',
    ['https://x.example', 'https://a.example'],
    (one: string) => one.endsWith('//a.example'),
  ]) {
    const allowed = answer({ origin, credentials: true }, 'https://a.example')
    assert.equal(allowed.get('Access-Control-Allow-Origin'), 'https://a.example')
    assert.equal(allowed.get('Access-Control-Allow-Credentials'), 'true')
    assert.equal(allowed.get('Vary'), 'Origin')
    for (const other of ['https://b.example', 'null', undefined]) {
      assert.deepEqual([...answer({ origin }, other)], [['Vary', 'Origin']])
    }
  }
})

test('a function that throws allows nobody, and is reported', () => {
  const hub = new CoreHub()
  const origin = () => {
    throw new Error('no database')
  }
  const facts = {
    method: 'GET',
    url: '/',
    origin: 'https://a.example',
    lastEventId: undefined,
    accept: undefined,
    address: undefined,
  }
  const decided = hub.entrance.receive(facts, checkConnectOptions({ cors: { origin } }))
  assert.equal(new Map(decided.headers).get('Access-Control-Allow-Origin'), undefined)
  assert.equal(new Map(decided.headers).get('Vary'), 'Origin')
  assert.deepEqual(hub.errors[0]?.[1], { during: 'cors' })
})

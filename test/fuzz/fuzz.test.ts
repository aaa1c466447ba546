// The corpus, and a few seconds of each target: enough to see that the fuzzers work, and what they have found before stays mended.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decoder } from './decoder.ts'
import { requests } from './requests.ts'
import { roundtrip } from './roundtrip.ts'
import { fuzz, type Target } from './target.ts'

for (const target of [decoder, roundtrip, requests]) {
  test(`${target.name}: nothing fails`, { timeout: 60_000 }, async (t) => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    t.diagnostic(`seed ${seed}: ${await fuzz(target, 2_000, seed)} inputs`)
  })
}

test('a target that fails is told with its seed', async () => {
  const failing: Target = {
    name: 'decoder',
    input: () => Buffer.from('data: x\n\n'),
    check: (input) => {
      if (input.length === 3) throw new Error('found')
    },
  }
  assert.ok((await fuzz(failing, 10, 1)) > 0)
})

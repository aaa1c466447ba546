// What the doors pull in once built: those that promise to need no Node must not.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { built, graph } from '../support/built.ts'

const DOORS = [
  'web.js',
  'client.js',
  'event-stream.js',
  'bus/memory.js',
  'bus/redis.js',
  'bus/nats.js',
  'bus/kafka.js',
  'bus/failover.js',
]

for (const door of DOORS) {
  test(`nothing that ${door} imports, however deep, comes from node: or from another package`, () => {
    const folder = join(built(), 'sluice')
    const { files, foreign } = graph(folder, door)
    assert.deepEqual(foreign, [])
    // Clients of brokers are Node's, and so are their Buffers.
    if (door.startsWith('bus/')) return
    for (const file of files) {
      assert.doesNotMatch(
        readFileSync(join(folder, file), 'utf8'),
        /\b(?:Buffer|process)\.|\brequire\(/,
        file,
      )
    }
  })
}

test('the door for Node does, so that the test above can fail', () => {
  const { foreign } = graph(join(built(), 'sluice'), 'index.js')
  assert.ok(foreign.includes('node:http'))
})

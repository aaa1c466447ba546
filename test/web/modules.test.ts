// What the doors pull in once built: those that promise to need no Node must not.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { built, graph } from '../support/built.ts'

for (const door of ['web.js', 'client.js', 'event-stream.js']) {
  test(`nothing that ${door} imports, however deep, comes from node: or from another package`, () => {
    const folder = join(built(), 'sluice')
    const { files, foreign } = graph(folder, door)
    assert.deepEqual(foreign, [])
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

// A peer whose link is cut in a network namespace: no FIN, no RST, nothing. Linux only, and only as root.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo, Server } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import type { Closed } from '../../src/core/close.ts'
import { createHub, type Hub } from '../../src/index.ts'
import { need } from '../support/need.ts'
import { canMakeNamespaces, Link } from '../support/netns.ts'
import { eventually } from '../support/server.ts'

/** How long it takes to be found, from the cut on. */
async function vanish(
  t: TestContext,
  hub: Hub,
  server: Server,
  client: (url: string) => string,
): Promise<number> {
  const link = new Link()
  t.after(() => link.remove())
  await new Promise<void>((resolve) => {
    server.listen(0, link.here, resolve)
  })
  t.after(async () => {
    await hub.close({ within: 0 })
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const far = spawn(...link.inside(process.execPath, '-e', client(`http://${link.here}:${port}`)))
  t.after(() => void far.kill('SIGKILL'))
  await new Promise((resolve) => far.stdout.once('data', resolve))
  await eventually(() => hub.stats().connections === 1)
  const closed = new Promise<Closed>((resolve) => {
    hub.on('close', (_, one) => resolve(one))
  })
  const cut = performance.now()
  link.cutFar()
  const { reason } = await closed
  const took = performance.now() - cut
  assert.equal(reason, 'dead')
  assert.equal(hub.stats().connections, 0)
  return took
}

describe('a vanished silent peer is closed as dead', {
  ...need('network namespaces (ip from iproute2, and root)', canMakeNamespaces()),
  timeout: 90_000,
  concurrency: true,
}, () => {
  test('within one heartbeat interval, with the defaults', async (t) => {
    const heartbeat = 20_000
    const hub = createHub({ heartbeat })
    const server = createServer((req, res) => void hub.connect(req, res, { channels: ['quiet'] }))
    const took = await vanish(
      t,
      hub,
      server,
      (url) =>
        `require('node:http').get('${url}/', (res) => res.on('data', () => process.stdout.write('.')))`,
    )
    assert.ok(took <= heartbeat, `found after ${Math.round(took)} ms`)
    t.diagnostic(`found after ${Math.round(took)} ms of a heartbeat interval of ${heartbeat} ms`)
  })

  test('over HTTP/2 within two, by a PING that is not answered', async (t) => {
    const heartbeat = 18_000
    const hub = createHub({ heartbeat })
    const server = createHttp2Server((req, res) => void hub.connect(req, res, { channels: ['quiet'] }))
    const took = await vanish(
      t,
      hub,
      server,
      (url) =>
        `require('node:http2').connect('${url}').request({ ':path': '/' }).on('data', () => process.stdout.write('.'))`,
    )
    // And what a sweep may come late.
    assert.ok(took <= 2 * heartbeat + heartbeat / 4, `found after ${Math.round(took)} ms`)
    t.diagnostic(`found after ${Math.round(took)} ms of a heartbeat interval of ${heartbeat} ms`)
  })
})

// A peer whose link is cut in a network namespace: no FIN, no RST, nothing. Linux only, and only as root.

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { Closed } from '../../src/core/close.ts'
import { createHub } from '../../src/index.ts'
import { findProgram, need } from '../support/need.ts'
import { canMakeNamespaces } from '../support/netns.ts'
import { eventually } from '../support/server.ts'

const ip = findProgram('ip')

const HEARTBEAT = 20_000

test('a vanished silent peer is closed as dead within one heartbeat interval, with the defaults', {
  ...need('network namespaces (ip from iproute2, and root)', canMakeNamespaces()),
  timeout: 90_000,
}, async (t) => {
  const run = (...args: string[]): void => {
    execFileSync(ip as string, args, { stdio: 'pipe' }) // the test is skipped without it
  }
  const name = `sluice-${process.pid}`
  const [here, there] = [`sl${process.pid}a`.slice(-15), `sl${process.pid}b`.slice(-15)]
  // A corner of the range for benchmarks (RFC 2544), so that it meets no network of this machine.
  const net = `198.18.${process.pid % 250}`
  run('netns', 'add', name)
  t.after(() => run('netns', 'del', name))
  run('link', 'add', here, 'type', 'veth', 'peer', 'name', there, 'netns', name)
  run('addr', 'add', `${net}.1/24`, 'dev', here)
  run('link', 'set', here, 'up')
  run('-n', name, 'addr', 'add', `${net}.2/24`, 'dev', there)
  run('-n', name, 'link', 'set', there, 'up')

  const hub = createHub({ heartbeat: HEARTBEAT })
  const server = createServer((req, res) => void hub.connect(req, res, { channels: ['quiet'] }))
  await new Promise<void>((resolve) => {
    server.listen(0, `${net}.1`, resolve)
  })
  t.after(async () => {
    await hub.close({ within: 0 })
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const script = `require('node:http').get('http://${net}.1:${port}/', (res) => res.on('data', () => process.send?.('data') ?? process.stdout.write('.')))`
  const client = spawn(ip as string, ['netns', 'exec', name, process.execPath, '-e', script])
  t.after(() => client.kill('SIGKILL'))
  await new Promise((resolve) => client.stdout.once('data', resolve))
  await eventually(() => hub.stats().connections === 1)

  const closed = new Promise<Closed>((resolve) => {
    hub.on('close', (_, one) => resolve(one))
  })
  // The cable, from the far end: this side keeps its link and its route, and hears nothing.
  const cut = performance.now()
  run('-n', name, 'link', 'set', there, 'down')
  const { reason } = await closed
  const took = performance.now() - cut
  assert.equal(reason, 'dead')
  assert.ok(took <= HEARTBEAT, `found after ${Math.round(took)} ms`)
  assert.equal(hub.stats().connections, 0)
  t.diagnostic(`found after ${Math.round(took)} ms of a heartbeat interval of ${HEARTBEAT} ms`)
})

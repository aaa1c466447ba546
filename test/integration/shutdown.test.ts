// The end of a server with thousands of connections, a tenth of them stalled; and real browsers coming back.

import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { createHub } from '../../src/index.ts'
import { openPage } from '../support/chromium.ts'
import { findChromium, findProgram, need } from '../support/need.ts'
import { canMakeNamespaces } from '../support/netns.ts'
import { eventually } from '../support/server.ts'

const CONNECTIONS = 5_000
const ip = findProgram('ip') as string // the test is skipped without it
const program = (name: string): string => resolve(import.meta.dirname, '../support/programs', `${name}.ts`)

test('5,000 connections, a tenth stalled: done within the deadline, everything for everybody else, and the process ends', {
  ...need('network namespaces (ip from iproute2, and root)', canMakeNamespaces()),
  timeout: 120_000,
}, async (t) => {
  const name = `sluice-close-${process.pid}`
  execFileSync(ip, ['netns', 'add', name])
  t.after(() => execFileSync(ip, ['netns', 'del', name]))
  execFileSync(ip, ['-n', name, 'link', 'set', 'lo', 'up'])
  // Small buffers, so that a reader that has stopped is felt after some 100 KB instead of several MB.
  for (const setting of ['tcp_rmem', 'tcp_wmem']) {
    execFileSync(ip, ['netns', 'exec', name, 'sysctl', '-qw', `net.ipv4.${setting}=4096 16384 32768`])
  }
  const run = (file: string, ...args: string[]): ChildProcess => {
    const command = [process.execPath, '--import', 'tsx', program(file), ...args]
    const child = spawn(ip, ['netns', 'exec', name, ...command], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    t.after(() => child.kill('SIGKILL'))
    return child
  }
  const server = run('closing-server')
  const [{ port }] = await once(server, 'message')
  const clients = run('closing-clients', String(port), String(CONNECTIONS))
  await once(clients, 'message')

  server.send({ stall: CONNECTIONS / 10 })
  const [{ blocked }] = await once(server, 'message')
  assert.equal(blocked, CONNECTIONS / 10)

  const said = once(clients, 'message')
  const result = once(server, 'message')
  const exited = once(server, 'exit')
  const began = performance.now()
  server.send('close')
  const [{ counts, took, connections, closes }] = await result
  const [{ whole, retries }] = await said
  assert.deepEqual(counts, { ended: CONNECTIONS * 0.9, destroyed: CONNECTIONS / 10 })
  assert.ok(took < 4_000 + 1_500, `took ${Math.round(took)} ms`)
  assert.equal(connections, 0)
  assert.equal(closes.shutdown, CONNECTIONS)
  assert.equal(whole, CONNECTIONS * 0.9, 'each healthy client got its whole queue')
  assert.equal(retries.length, CONNECTIONS * 0.9, 'and a farewell with a time of its own')
  // Drawn evenly from the window: each tenth of it has about a tenth.
  const tenths = new Array<number>(10).fill(0)
  for (const retry of retries as number[]) {
    const tenth = Math.min(9, Math.floor(retry / 3_000))
    tenths[tenth] = (tenths[tenth] ?? 0) + 1
  }
  for (const tenth of tenths) assert.ok(Math.abs(tenth - 450) < 130, tenths.join())
  const [code] = await exited
  assert.equal(code, 0, 'nothing was left that kept the process')
  t.diagnostic(
    `closed in ${Math.round(took)} ms, the process gone ${Math.round(performance.now() - began)} ms after the order`,
  )
})

test('real EventSources come back spread over the window', {
  ...need('Chromium', findChromium()),
  timeout: 60_000,
}, async (t) => {
  const CLIENTS = 48
  const OVER = 4_000
  let hub = createHub()
  const returns: number[] = []
  let closedAt = 0
  const server = createServer((req, res) => {
    if (req.url !== '/events') {
      res.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>storm</title>')
      return
    }
    if (closedAt > 0) returns.push(performance.now() - closedAt)
    hub.connect(req, res, { channels: ['a'], cors: true })
  })
  await new Promise<void>((settle) => {
    server.listen(0, '0.0.0.0', settle)
  })
  const { port } = server.address() as AddressInfo // it listens on TCP
  t.after(async () => {
    await hub.close({ within: 0 })
    server.closeAllConnections()
    server.close()
  })
  const page = await openPage(t)
  await page.goto(`http://127.0.0.1:${port}/`)
  // A browser opens six connections to an origin: several origins.
  await page.evaluate(
    ([clients, at]) => {
      for (let n = 0; n < clients; n += 1) new EventSource(`http://127.0.0.${2 + (n % 12)}:${at}/events`)
    },
    [CLIENTS, port] as const,
  )
  await eventually(() => hub.stats().connections === CLIENTS)
  const old = hub
  const closing = old.close({ reconnectOver: OVER })
  closedAt = performance.now()
  hub = createHub()
  assert.deepEqual(await closing, { ended: CLIENTS, destroyed: 0 })
  await eventually(() => returns.length === CLIENTS)
  const quarters = [0, 0, 0, 0]
  for (const after of returns) {
    const quarter = Math.min(3, Math.floor((after / OVER) * 4))
    quarters[quarter] = (quarters[quarter] ?? 0) + 1
  }
  // Twelve in each; fewer than two or more than thirty in any has a chance of one in a million.
  for (const count of quarters) assert.ok(count >= 2 && count <= 30, quarters.join())
  assert.ok(Math.max(...returns) < OVER + 1_500, `${Math.max(...returns)}`)
  t.diagnostic(`back in quarters of the window: ${quarters.join(', ')}`)
})

// The command line client, run as a user runs it.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { within } from '../support/fetch-client.ts'
import { eventually, serve } from '../support/server.ts'

const FILE = fileURLToPath(new URL('../../docs/examples/client/tail.ts', import.meta.url))

interface Tail {
  child: ChildProcess
  out(): string
  err(): string
  exited: Promise<number | null>
}

function tail(t: Pick<TestContext, 'after'>, ...args: string[]): Tail {
  const child = spawn(process.execPath, ['--import', 'tsx', FILE, ...args])
  t.after(() => void child.kill('SIGKILL'))
  let out = ''
  let err = ''
  child.stdout.on('data', (bytes) => {
    out += bytes
  })
  child.stderr.on('data', (bytes) => {
    err += bytes
  })
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve))
  return { child, out: () => out, err: () => err, exited }
}

test('it prints events, comes back after a cut, and ends with its channel', {
  timeout: 60_000,
}, async (t) => {
  const { hub, server, url } = await serve(
    t,
    (hub, req, res) => void hub.connect(req, res, { channels: ['a'] }),
  )
  const { out, err, exited } = tail(t, url)
  await eventually(() => hub.stats().connections === 1)
  await hub.publish('a', { data: '1', id: 'one' })
  await eventually(() => out().includes('\n'))
  server.closeAllConnections()
  await hub.publish('a', { data: '2', id: 'two' })
  await eventually(() => out().includes('two'))
  await hub.channel('a').end()
  assert.equal(await within(exited, 'its end'), 0)
  assert.deepEqual(
    out()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).data),
    ['1', '2', ''],
  )
  assert.match(
    err(),
    /^open \(200, resume none\)\n.*Attempt 1 in \d+ ms\.\nopen \(200, resume full\)\nThe stream is over\.\n$/,
  )
})

test('it tells gaps, leaves quietly when interrupted, and loudly when refused', {
  timeout: 60_000,
}, async (t) => {
  const { hub, url } = await serve(t, (hub, req, res) => {
    if (req.url === '/missing') res.writeHead(404).end()
    else hub.connect(req, res, { channels: ['a'] })
  })
  const one = tail(t, url, '--after', 'aaaaaaaaaa-1')
  await eventually(() => one.err().includes('GAP in a (epoch)'))
  one.child.kill('SIGINT')
  assert.equal(await within(one.exited, 'its end'), 0)
  await eventually(() => hub.stats().connections === 0)

  const other = tail(t, `${url}missing`)
  assert.equal(await within(other.exited, 'its end'), 1)
  assert.match(other.err(), /^SLUICE_REFUSED: The server answered 404 Not Found/)
  assert.equal(await within(tail(t).exited, 'its end'), 2)
})

// Readers that stop reading, over real sockets: they cost what is stated, and nobody else notices.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { type Connection, createHub } from '../../src/index.ts'
import { Client } from '../support/client.ts'
import { collectGarbage } from '../support/gc.ts'
import { RawClient } from '../support/raw.ts'
import { eventually, listen } from '../support/server.ts'

const turns = async (count: number): Promise<void> => {
  for (let n = 0; n < count; n += 1) await new Promise((resolve) => setImmediate(resolve))
}

test('one stalled reader among a thousand changes nothing for the others, and costs no more than stated', async (t) => {
  const maxBufferedBytes = 65_536
  const hub = createHub({ maxWriteBytes: 32_768, maxBufferedBytes })
  // Only the stalled reader reads the ballast, which fills what the kernel would otherwise swallow for it.
  hub.channel('ballast', { maxBytes: 65_536 })
  let held: Connection | undefined
  const server = createServer((req, res) => {
    const stalls = req.url === '/stalled'
    const connection = hub.connect(req, res, { channels: stalls ? ['a', 'ballast'] : ['a'] })
    if (stalls) held = connection
  })
  const port = await listen(server)
  t.after(async () => {
    await hub.close({ within: 0 })
    server.close()
  })
  const healthy = await Promise.all(
    Array.from({ length: 999 }, () => Client.open(`http://127.0.0.1:${port}/`)),
  )
  const stalled = await RawClient.open(port)
  stalled.write('GET /stalled HTTP/1.1\r\nHost: x\r\n\r\n')
  await eventually(() => held !== undefined)
  stalled.pause()
  for (let n = 0; n < 1_000 && !(held && held.bufferedBytes > 0); n += 1) {
    void hub.publish('ballast', { data: 'x'.repeat(30_000) })
    await turns(3)
  }

  let most = 0
  for (let n = 1; n <= 1_000; n += 1) {
    void hub.publish('a', { data: String(n) })
    if (n % 7 === 0) await turns(1)
    if (n % 100 === 0) await Promise.all(healthy.map((client) => client.count(n)))
    most = Math.max(most, held?.bufferedBytes ?? 0)
  }
  const expected = Array.from({ length: 1_000 }, (_, index) => String(index + 1))
  for (const client of healthy) assert.deepEqual(client.data, expected)
  assert.ok(held && !held.signal.aborted, 'it is stalled, not gone')
  assert.ok(most > 0, 'it is really stalled')
  assert.ok(most <= maxBufferedBytes + 31_000, `${most} bytes held for the stalled reader`)
  assert.equal(hub.stats().gaps, 0)
  stalled.destroy()
})

test('a thousand stalled readers of one channel cost the log once', async (t) => {
  const size = 65_000
  const hub = createHub()
  const connections: Connection[] = []
  const server = createServer((req, res) => void connections.push(hub.connect(req, res, { channels: ['a'] })))
  const port = await listen(server)
  t.after(async () => {
    await hub.close({ within: 0 })
    server.close()
  })
  // In a process of their own, for a paused socket of node:net holds a read buffer, too.
  const script = `
    const { connect } = require('node:net')
    for (let n = 0; n < 1000; n += 1) {
      const socket = connect(${port}, '127.0.0.1')
      socket.write('GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')
      socket.pause()
    }
    // A socket that does not read does not keep a process.
    setInterval(() => {}, 60_000)`
  const clients = spawn(process.execPath, ['-e', script], { stdio: 'inherit' })
  t.after(() => clients.kill('SIGKILL'))
  await eventually(() => connections.length === 1_000)
  await collectGarbage()
  const before = process.memoryUsage().arrayBuffers
  // The kernel takes a megabyte or two for each; then every reader is stuck on the same frame.
  const blocked = (): number => connections.filter(({ bufferedBytes }) => bufferedBytes > 0).length
  for (let n = 0; n < 400 && blocked() < 1_000; n += 1) {
    void hub.publish('a', { data: 'x'.repeat(size) })
    await turns(6)
  }
  assert.equal(blocked(), 1_000)
  // From here on, what is published goes into the log and nowhere else.
  const held = (): number => connections.reduce((sum, { bufferedBytes }) => sum + bufferedBytes, 0)
  const heldBefore = held()
  for (let n = 0; n < 400; n += 1) {
    void hub.publish('a', { data: 'x'.repeat(size) })
    if (n % 10 === 0) await turns(1)
  }
  await turns(10)
  assert.equal(held(), heldBefore)
  for (const { bufferedBytes } of connections) assert.ok(bufferedBytes <= 262_144 + size)
  const { logBytes } = hub.stats()
  assert.ok(logBytes <= 1_048_576 + size + 100)
  // A copy of one event for each reader would be 65 MB, a copy of what they have missed 26 GB.
  await collectGarbage()
  const grown = process.memoryUsage().arrayBuffers - before
  assert.ok(grown < 10_000_000, `${grown} bytes of buffers beside a log of ${logBytes}`)
  t.diagnostic(`${grown} bytes of buffers beside a log of ${logBytes}`)
})

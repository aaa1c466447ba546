// The same over TLS, with a certificate made for the test.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createHub } from '../../src/index.ts'
import { Client } from '../support/client.ts'
import { findProgram, need } from '../support/need.ts'
import { eventually, listen } from '../support/server.ts'

const openssl = findProgram('openssl')

test(
  'a stream over TLS opens, delivers, resumes, and is closed like any other',
  need('openssl', openssl),
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-tls-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    execFileSync(
      openssl as string, // the test is skipped without it
      'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -keyout key.pem -out cert.pem'.split(
        ' ',
      ),
      { cwd: folder, stdio: 'ignore' },
    )
    const hub = createHub({ stallTimeout: 1_000 })
    const server = createServer(
      { key: readFileSync(join(folder, 'key.pem')), cert: readFileSync(join(folder, 'cert.pem')) },
      (req, res) => void hub.connect(req, res, { channels: ['a'] }),
    )
    const port = await listen(server)
    t.after(async () => {
      await hub.close({ within: 0 })
      server.closeAllConnections()
      server.close()
    })
    const url = `https://127.0.0.1:${port}/`
    const first = await Client.open(url, { rejectUnauthorized: false })
    assert.equal(first.headers['transfer-encoding'], undefined)
    const ids: string[] = []
    for (let n = 1; n <= 100; n += 1) ids.push(await hub.publish('a', { data: String(n) }))
    await first.count(100)
    first.drop()
    await eventually(() => hub.stats().closes.client === 1)

    const resumed = await Client.open(url, {
      rejectUnauthorized: false,
      headers: { 'last-event-id': ids[49] ?? '' },
    })
    await resumed.count(50)
    assert.deepEqual(
      resumed.data,
      Array.from({ length: 50 }, (_, index) => String(index + 51)),
    )

    const stalled = await Client.open(url, { rejectUnauthorized: false, paused: true })
    const padding = 'x'.repeat(60_000)
    for (let n = 0; n < 500 && hub.stats().closes.stalled === 0; n += 1) {
      await hub.publish('a', { data: padding })
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    await eventually(() => hub.stats().closes.stalled === 1)
    stalled.drop()
    await resumed.until(() => resumed.events.length > 100)
  },
)

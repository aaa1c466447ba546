// Two real processes behind real nginx, restarted one after the other while lines are written: clients that stay miss nothing.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { EventSource } from 'undici'
import { need } from '../support/need.ts'
import { freePort, nginx, nginxProxy } from '../support/nginx.ts'
import { eventually } from '../support/server.ts'

const SERVER = resolve(import.meta.dirname, '../../docs/examples/rolling-restart/server.ts')
const CLIENTS = 20

interface Process {
  child: ChildProcess
  said: () => string
  exited: Promise<number | null>
}

async function startServer(port: number, feed: string): Promise<Process> {
  const args = ['--import', 'tsx', SERVER, '--port', String(port), '--feed', feed, '--reconnect-over', '500']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', (bytes: Buffer) => {
    text += bytes.toString()
  })
  const exited = new Promise<number | null>((settle) => child.once('exit', settle))
  await eventually(() => text.includes('ready'), 'a server that is ready')
  return { child, said: () => text, exited }
}

test('a rolling restart behind nginx: every client gets every line, once and in order', {
  ...need('nginx', nginx),
  timeout: 120_000,
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-feed-'))
  t.after(async () => {
    for (const { child } of running) child.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  })
  const running: Process[] = []
  const feed = join(folder, 'feed')
  await writeFile(feed, '0\n')
  const ports = [await freePort(), await freePort()]
  for (const port of ports) running.push(await startServer(port, feed))
  const proxy = await nginxProxy(t, ports, 'proxy_next_upstream error timeout;')

  let written = 0
  const write = async (): Promise<void> => {
    written += 1
    await appendFile(feed, `${written}\n`)
  }
  const got: string[][] = []
  let gaps = 0
  let opened = 0
  for (let n = 0; n < CLIENTS; n += 1) {
    const lines: string[] = []
    got.push(lines)
    const source = new EventSource(`http://127.0.0.1:${proxy.port}/events`)
    t.after(() => source.close())
    source.addEventListener('line', (event) => {
      if ('data' in event) lines.push(String(event.data))
    })
    source.addEventListener('gap', () => {
      gaps += 1
    })
    source.onopen = () => {
      opened += 1
    }
  }
  await eventually(() => opened === CLIENTS, 'all clients')
  let writing = true
  const writer = (async () => {
    while (writing) {
      await write()
      await new Promise((settle) => setTimeout(settle, 5))
    }
  })()

  for (const [index, port] of ports.entries()) {
    const { child, exited, said } = running[index] as Process // one for each port
    const before = written
    child.kill('SIGTERM')
    assert.equal(await exited, 0, 'it ends by itself')
    assert.match(said(), /SIGTERM: \d+ ended, 0 cut/)
    running[index] = await startServer(port, feed)
    // All have come back, and read what was written meanwhile.
    const through = Math.max(written, before + 1)
    await eventually(() => got.every(({ length }) => length >= through), 'everybody to catch up')
  }
  writing = false
  await writer
  await eventually(() => got.every(({ length }) => length >= written), 'the last line')
  const expected = Array.from({ length: written }, (_, index) => String(index + 1))
  for (const lines of got) assert.deepEqual(lines, expected)
  assert.equal(gaps, 0)
  assert.ok(opened > CLIENTS, 'clients had to come back')
  t.diagnostic(`${written} lines to ${CLIENTS} clients, ${opened - CLIENTS} reconnects`)
})

// nginx with nchan: one worker, published to over its HTTP publisher endpoint on one kept connection, requests that are
// at hand together one behind the other. CPU and memory are the worker's.

import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cpuMicrosOf, residentBytesOf } from '../harness/cpu.ts'
import { pinned } from '../harness/pin.ts'
import { findNginx, nchanConfig } from './nchan-config.ts'
import type { Peer } from './peer.ts'

export async function start(): Promise<Peer> {
  const nginx = findNginx()
  if (!nginx) throw new Error('nginx with nchan is not installed')
  const directory = mkdtempSync(join(tmpdir(), 'bench-nchan-'))
  const port = await freePort()
  const file = join(directory, 'nginx.conf')
  writeFileSync(file, nchanConfig(nginx, port, directory))
  const [command, ...args] = pinned('server', [nginx.binary, '-p', directory, '-c', file])
  const master = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  master.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const publisher = await opened(port, () => {
    if (master.exitCode !== null) throw new Error(`nginx ended at once: ${said}`)
  })
  publisher.setNoDelay(true)
  const worker = await workerOf(master.pid ?? 0)

  let answered = 0
  let asked = 0
  let waiting: (() => void) | undefined
  publisher.on('data', (chunk: Buffer) => {
    const text = chunk.toString('latin1')
    // 201 Created with subscribers, 202 Accepted without.
    for (let at = text.indexOf('HTTP/1.1 20'); at >= 0; at = text.indexOf('HTTP/1.1 20', at + 1))
      answered += 1
    if (answered >= asked) waiting?.()
  })

  return {
    port,
    publish(events) {
      asked += events.length
      publisher.write(
        events
          .map(
            ({ data }) =>
              `POST /publish HTTP/1.1\r\nHost: bench\r\nContent-Type: text/plain\r\nContent-Length: ${data.length}\r\n\r\n${data}`,
          )
          .join(''),
      )
    },
    async settled() {
      if (answered >= asked) return
      await new Promise<void>((resolve) => {
        waiting = resolve
      })
    },
    cpuMicros: () => cpuMicrosOf(worker),
    memoryBytes: () => residentBytesOf(worker),
    close() {
      publisher.destroy()
      master.kill('SIGTERM')
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** It accepts connections before it has its worker. */
async function workerOf(master: number): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const [pid] = readFileSync(`/proc/${master}/task/${master}/children`, 'utf8').trim().split(' ')
    if (pid) return Number(pid)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('nginx has no worker')
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address ? address.port : 0
}

async function opened(port: number, check: () => void): Promise<Socket> {
  for (let attempt = 0; ; attempt += 1) {
    check()
    try {
      return await new Promise<Socket>((resolve, reject) => {
        const socket = connect(port, '127.0.0.1', () => resolve(socket))
        socket.on('error', reject)
      })
    } catch (error) {
      if (attempt === 100) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

// A real redis-server that keeps nothing on disk, to be killed, stopped and started again on its port.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { Redis } from 'ioredis'
import { findProgram } from './need.ts'
import { accepts, freePort } from './nginx.ts'

export const redisServer = findProgram('redis-server', 'valkey-server')

export interface RedisServer {
  readonly port: number
  /** Sends commands as an operator would, whatever the clients of a test do. */
  readonly control: Redis
  start(): Promise<void>
  /** As a crash does: everything is lost. */
  kill(): Promise<void>
  /** Stops it in the midst of whatever it does; `false`: goes on. */
  freeze(frozen: boolean): void
  close(): Promise<void>
}

/** The server ends with the test, or with `close`. */
export async function redis(
  t?: Pick<TestContext, 'after'>,
  args: readonly string[] = [],
): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-redis-'))
  const port = await freePort()
  let child: ChildProcess | undefined
  const control = new Redis({ port, host: '127.0.0.1', lazyConnect: true, retryStrategy: () => 50 })
  control.on('error', () => {})
  const server: RedisServer = {
    port,
    control,
    async start() {
      child = spawn(
        redisServer as string, // asked with need()
        [
          '--port',
          `${port}`,
          '--bind',
          '127.0.0.1',
          '--dir',
          folder,
          '--save',
          '',
          '--appendonly',
          'no',
          ...args,
        ],
        { stdio: 'ignore' },
      )
      await accepts(port)
    },
    async kill() {
      const running = child
      child = undefined
      if (!running || running.exitCode !== null || running.signalCode !== null) return
      const exited = new Promise((resolve) => running.once('exit', resolve))
      running.kill('SIGKILL')
      await exited
    },
    freeze: (frozen) => void child?.kill(frozen ? 'SIGSTOP' : 'SIGCONT'),
    async close() {
      control.disconnect()
      await server.kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
  t?.after(() => server.close())
  await server.start()
  await control.connect()
  return server
}

/** A real Sentinel that watches over one server as `mymaster`; it ends with `close`. */
export async function sentinel(
  master: RedisServer,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-sentinel-'))
  const port = await freePort()
  const config = join(folder, 'sentinel.conf')
  writeFileSync(
    config,
    `port ${port}\nbind 127.0.0.1\ndir ${folder}\nsentinel monitor mymaster 127.0.0.1 ${master.port} 1\n`,
  )
  const child = spawn(redisServer as string, [config, '--sentinel'], { stdio: 'ignore' }) // asked with need()
  await accepts(port)
  return {
    port,
    async close() {
      const exited = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await exited
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

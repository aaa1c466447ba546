// A real nats-server with JetStream, its store in a temporary directory, to be killed, stopped and started again.

import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type NodeConnectionOptions } from '@nats-io/transport-node'
import { freeze } from './freeze.ts'
import { findProgram } from './need.ts'
import { accepts, freePort } from './nginx.ts'

export const natsServer = findProgram('nats-server')

export interface NatsServer {
  readonly port: number
  start(): Promise<void>
  /** As a crash does. */
  kill(): Promise<void>
  /** Stops it in the midst of whatever it does, until `thaw`. */
  freeze(): Promise<void>
  thaw(): void
  /** Takes the store away, of a server that does not run. */
  forget(): void
  /** Copies the store of a server that does not run; `restore` puts it in place of what has become of it. */
  keep(): { restore(): void }
  /** A connection that never gives up, closed when the test ends. */
  connect(options?: NodeConnectionOptions): ReturnType<typeof connect>
}

export async function nats(
  t: { after(end: () => Promise<void>): void },
  /** Lines of the configuration. */ extra = '',
) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-nats-'))
  const port = await freePort()
  const store = join(folder, 'store')
  const config = join(folder, 'nats.conf')
  writeFileSync(
    config,
    `listen: "127.0.0.1:${port}"
jetstream {
  store_dir: "${store}"
  max_mem: 64M
  max_file: 256M
}
${extra}
`,
  )
  let child: ChildProcess | undefined
  const server: NatsServer = {
    port,
    async start() {
      child = spawn(natsServer as string, ['-c', config], { stdio: 'ignore' }) // asked with need()
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
    async freeze() {
      if (child?.pid !== undefined) await freeze(child.pid)
    },
    thaw: () => void child?.kill('SIGCONT'),
    forget: () => rmSync(store, { recursive: true, force: true }),
    keep() {
      const copy = join(folder, 'kept')
      cpSync(store, copy, { recursive: true })
      return {
        restore() {
          server.forget()
          cpSync(copy, store, { recursive: true })
        },
      }
    },
    async connect(options) {
      const connection = await connect({
        servers: `127.0.0.1:${port}`,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 50,
        reconnectJitter: 0,
        ...options,
      })
      t.after(() => connection.close())
      return connection
    },
  }
  t.after(async () => {
    await server.kill()
    rmSync(folder, { recursive: true, force: true })
  })
  await server.start()
  return server
}

// Starts the numbers server, kills it as a crash does, and starts it again on the same port.

import { type ChildProcess, spawn } from 'node:child_process'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { within } from './fetch-client.ts'
import type { NumbersCommand, NumbersReport } from './numbers-server.ts'

const FILE = fileURLToPath(new URL('numbers-server.ts', import.meta.url))

export interface Killable {
  port: number
  url: string
  /** Requests to the life that runs now. */
  requests: { at: number; lastEventId: string }[]
  publish(...numbers: number[]): void
  kill(): Promise<void>
  start(): Promise<void>
  /** Kills it and starts it at once: the next is made ready before. */
  restart(): Promise<void>
}

export async function killable(t: Pick<TestContext, 'after'>): Promise<Killable> {
  let child: ChildProcess | undefined
  const server: Killable = {
    port: 0,
    url: '',
    requests: [],
    publish: (...numbers) => command(child, { do: 'publish', numbers }),
    async kill() {
      const running = child
      child = undefined
      if (!running || running.exitCode !== null) return
      const exited = new Promise((resolve) => running.once('exit', resolve))
      running.kill('SIGKILL')
      await exited
    },
    start: async () => listen(await ready()),
    async restart() {
      const next = await ready()
      await server.kill()
      await listen(next)
    },
  }

  async function listen(next: ChildProcess): Promise<void> {
    child = next
    server.requests = []
    const listening = report(next, 'listening')
    next.on('message', (told: NumbersReport) => {
      if (told.is === 'request') server.requests.push(told)
    })
    command(next, { do: 'listen', port: server.port })
    server.port = (await listening).port
    server.url = `http://127.0.0.1:${server.port}/`
  }

  t.after(() => server.kill())
  await server.start()
  return server
}

async function ready(): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--import', 'tsx', FILE], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  await report(child, 'ready')
  return child
}

function command(child: ChildProcess | undefined, message: NumbersCommand): void {
  child?.send(message)
}

function report<Is extends NumbersReport['is']>(
  child: ChildProcess,
  is: Is,
): Promise<Extract<NumbersReport, { is: Is }>> {
  return within(
    new Promise((resolve, reject) => {
      child.once('exit', () => reject(new Error(`the server left before it was ${is}`)))
      child.on('message', (told: NumbersReport) => {
        if (told.is === is) resolve(told as Extract<NumbersReport, { is: Is }>) // it was just compared
      })
    }),
    `the server to be ${is}`,
  )
}

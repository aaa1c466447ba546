// A server in a process of its own, as the scenario's side sees it.

import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Link } from '../support/netns.ts'
import type { Commands, ListenOptions } from './programs/server.ts'
import type { Report } from './scenario.ts'
import { within } from './wait.ts'

const FILE = fileURLToPath(new URL('programs/server.ts', import.meta.url))

export class Remote {
  port = 0
  readonly #child: ChildProcess
  readonly #exited: Promise<void>
  readonly #pending = new Map<
    number,
    { resolve: (result: unknown) => void; reject: (error: Error) => void }
  >()
  #lastId = 0

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#exited = new Promise((resolve) => child.once('exit', () => resolve()))
    child.on('message', (told: 'ready' | { id: number; result?: unknown; error?: string }) => {
      if (told === 'ready') return
      const waiting = this.#pending.get(told.id)
      this.#pending.delete(told.id)
      if (told.error === undefined) waiting?.resolve(told.result)
      else waiting?.reject(new Error(told.error))
    })
    child.once('exit', () => {
      for (const { reject } of this.#pending.values()) reject(new Error('the server is gone'))
    })
  }

  /** A process that is ready to listen. */
  static async prepare(report: Report, link?: Link): Promise<Remote> {
    const node = [process.execPath, '--import', 'tsx', '--expose-gc', FILE]
    const [command, args] = link ? link.inside(...node) : [process.execPath, node.slice(1)]
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const remote = new Remote(child)
    report.after(() => remote.kill())
    await within(new Promise((resolve) => child.once('message', resolve)), 'the server to be ready')
    return remote
  }

  static async start(report: Report, options: ListenOptions = {}, link?: Link): Promise<Remote> {
    const remote = await Remote.prepare(report, link)
    await remote.listen(options)
    return remote
  }

  async listen(options: ListenOptions): Promise<void> {
    this.port = await this.call('listen', options)
  }

  /** Asks for something and gives the answer. */
  call<Name extends keyof Commands>(
    name: Name,
    args?: Parameters<Commands[Name]>[0],
    patience?: number,
  ): Promise<Awaited<ReturnType<Commands[Name]>>> {
    this.#lastId += 1
    const id = this.#lastId
    const answer = new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }))
    this.#child.send({ id, name, args: args ?? {} })
    // The program answers each command with what its function gives.
    return within(answer as Promise<Awaited<ReturnType<Commands[Name]>>>, `the server to ${name}`, patience)
  }

  /** Ends it in good order; what does not add up there is a promise broken. */
  async close(report: Report): Promise<void> {
    for (const line of await this.call('close')) report.fail(`in the server: ${line}`)
    await this.kill()
  }

  /** As a crash does. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }
}

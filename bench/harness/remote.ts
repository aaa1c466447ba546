// Calls to a process of the bench and its answers. The parent holds a Remote; the child serves named operations.

import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { pinned, type Role } from './pin.ts'

interface Call {
  id: number
  op: string
  args: unknown
}

interface Answer {
  id: number
  result?: unknown
  error?: string
}

// biome-ignore lint/suspicious/noExplicitAny: each operation has arguments of its own; callers go through typed methods
export type Operations = Record<string, (args: any) => unknown>

/** In the child: answers what the parent asks for, and ends with it. */
export function serve(operations: Operations): void {
  process.on('message', async ({ id, op, args }: Call) => {
    const answer: Answer = { id }
    try {
      answer.result = await operations[op]?.(args)
    } catch (error) {
      answer.error = error instanceof Error ? (error.stack ?? error.message) : String(error)
    }
    // The parent may have gone while the answer was made.
    process.send?.(answer, () => {})
  })
  process.on('disconnect', () => process.exit(0))
}

/** A forked process, by its operations. */
export class Remote<Ops extends Operations> {
  readonly #child: ChildProcess
  readonly #name: string
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  #calls = 0
  #over: Error | undefined

  /**
   * @param file the module to run, which calls `serve`
   * @param flags more of Node's own options
   */
  constructor(name: string, file: URL, role: Role | undefined, flags: string[] = []) {
    this.#name = name
    const command: [string, ...string[]] = [
      process.execPath,
      ...process.execArgv,
      '--expose-gc',
      ...flags,
      fileURLToPath(file),
    ]
    const [program, ...rest] = role ? pinned(role, command) : command
    this.#child = spawn(program, rest, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    })
    this.#child.on('message', ({ id, result, error }: Answer) => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) waiting?.resolve(result as never)
      else waiting?.reject(new Error(`${name}: ${error}`))
    })
    this.#child.on('error', (error) => this.#end(error))
    this.#child.on('exit', (code, signal) => this.#end(new Error(`${name} ended (${signal ?? code})`)))
  }

  call<Op extends keyof Ops & string>(
    op: Op,
    args: Parameters<Ops[Op]>[0],
  ): Promise<Awaited<ReturnType<Ops[Op]>>> {
    if (this.#over) return Promise.reject(this.#over)
    this.#calls += 1
    const id = this.#calls
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#child.send({ id, op, args } satisfies Call)
    })
  }

  /** Ends the process; by force when it has not gone after some seconds. */
  async end(): Promise<void> {
    if (this.#over) return
    const gone = new Promise((resolve) => this.#child.once('exit', resolve))
    if (this.#child.connected) this.#child.disconnect()
    const force = setTimeout(() => this.#child.kill('SIGKILL'), 5_000)
    await gone
    clearTimeout(force)
  }

  #end(reason: Error): void {
    if (this.#over) return
    this.#over = reason
    for (const { reject } of this.#waiting.values()) reject(new Error(`${this.#name}: ${reason.message}`))
    this.#waiting.clear()
  }
}

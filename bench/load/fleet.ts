// The processes of a run: started together, stopped together, their figures added up.

import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Part, Tick } from './crowd.ts'
import { Figures, type FiguresData } from './figures.ts'
import type { Order, Word } from './worker.ts'

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url))
/** Between the order and the start, so that the order reaches all of them in time. */
const LEAD = 50
/** For the figures; reading out what slow clients were sent takes two seconds of it. */
const PATIENCE = 20_000

/** All that is the same for every process. */
export type Run = Omit<Part, 'part' | 'of' | 'startAt'>

export class Fleet {
  readonly #run: Run
  readonly #workers: Worker[]
  #stopping: Promise<Figures> | undefined

  constructor(run: Run, processes: number) {
    this.#run = run
    this.#workers = Array.from({ length: processes }, () => new Worker())
  }

  /** Settles when the clients begin to arrive. */
  async start(): Promise<void> {
    await Promise.all(this.#workers.map(({ ready }) => ready))
    const startAt = Date.now() + LEAD
    for (const [part, worker] of this.#workers.entries()) {
      worker.order({ do: 'run', part: { ...this.#run, part, of: this.#workers.length, startAt } })
    }
    await new Promise((resolve) => setTimeout(resolve, LEAD))
  }

  /** How things stand, all processes together. */
  tick(): Tick {
    const total: Tick = { open: 0, events: 0, closes: 0, failures: 0, over: 0 }
    for (const { tick } of this.#workers) {
      for (const key of Object.keys(total) as (keyof Tick)[]) total[key] += tick?.[key] ?? 0
    }
    return total
  }

  /** Settles when a process has ended that should not have. */
  get broken(): Promise<void> {
    return Promise.race(this.#workers.map(({ gone }) => gone))
  }

  /** Ends the run, and all processes. @throws {Error} when one of them does not tell its figures */
  stop(): Promise<Figures> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<Figures> {
    const figures = new Figures()
    try {
      for (const worker of this.#workers) worker.order({ do: 'stop' })
      for (const data of await Promise.all(this.#workers.map((worker) => worker.figures())))
        figures.merge(data)
    } finally {
      for (const worker of this.#workers) worker.kill()
    }
    return figures
  }
}

class Worker {
  /** The latest that it told. */
  tick: Tick | undefined
  readonly ready: Promise<void>
  readonly gone: Promise<void>
  readonly #child: ChildProcess
  readonly #done: Promise<FiguresData>

  constructor() {
    // Whatever runs this file as TypeScript runs that one too: fork hands the flags on.
    const child = fork(WORKER)
    this.#child = child
    this.gone = new Promise((resolve) => {
      child.once('exit', () => resolve())
    })
    const failed = this.gone.then(() => {
      throw new Error('A process of the load generator ended before it told its figures.')
    })
    failed.catch(() => {}) // every process ends; who still waits then is told
    const ready = new Promise<void>((resolve) => {
      child.on('message', (word: Word) => word.is === 'ready' && resolve())
    })
    const done = new Promise<FiguresData>((resolve) => {
      child.on('message', (word: Word) => {
        if (word.is === 'tick') this.tick = word.tick
        else if (word.is === 'done') resolve(word.figures)
      })
    })
    child.on('error', () => {}) // its exit follows, and tells
    this.ready = Promise.race([ready, failed])
    this.#done = Promise.race([done, failed])
    this.#done.catch(() => {})
  }

  order(order: Order): void {
    if (this.#child.connected) this.#child.send(order)
  }

  async figures(): Promise<FiguresData> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error('A process of the load generator does not answer.')),
        PATIENCE,
      )
    })
    try {
      return await Promise.race([this.#done, late])
    } finally {
      clearTimeout(timer)
    }
  }

  kill(): void {
    if (this.#child.exitCode === null) this.#child.kill('SIGKILL')
  }
}

// The server's side of the crowd: starts its process when it is first needed, passes orders on, keeps its counts.

import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export type CrowdCommand =
  | { do: 'open'; count: number; host: string; port: number; path: string }
  | { do: 'stall'; count: number }
  | { do: 'resume' }
  | { do: 'close' }
  | { do: 'forget'; numbers: number[] }

export interface CrowdState {
  /** Readers whose stream is open, as they see it. */
  open: number
  connecting: number
  /** Of those open: that have stopped reading. */
  stalled: number
  /** That could not connect, and why. */
  failed: number
  error?: string | undefined
}

export type CrowdReport =
  | { is: 'state'; state: CrowdState }
  | { is: 'stalled' | 'resumed'; numbers: number[] }

export interface Crowd {
  readonly state: CrowdState
  open(count: number): void
  /** Makes up to `count` readers stop reading; settles with their numbers. */
  stall(count: number): Promise<number[]>
  /** Makes all that stopped read again; settles with their numbers. */
  resume(): Promise<number[]>
  closeAll(): void
  /** Says that the server has closed the connection with this number. */
  forget(number: number): void
  stop(): Promise<void>
}

const NOBODY: CrowdState = Object.freeze({ open: 0, connecting: 0, stalled: 0, failed: 0 })
const CLIENTS = fileURLToPath(new URL('crowd-clients.ts', import.meta.url))
/** Closed connections are told together: a thousand may close in one turn. */
const FORGET_AFTER = 50

export interface CrowdOptions {
  /** Where the readers connect; asked when they do, since the port is not known before. */
  address: () => { host: string; port: number }
  /** What they ask for; their number is added as `&crowd=`. */
  path: string
  onState: (state: CrowdState) => void
}

export function createCrowd({ address, path, onState }: CrowdOptions): Crowd {
  let child: ChildProcess | undefined
  let state = NOBODY
  let gone: number[] = []
  let forgetting: NodeJS.Timeout | undefined
  const waiting: ((numbers: number[]) => void)[] = []

  function tell(command: CrowdCommand): void {
    if (child?.connected) child.send(command)
  }

  function heard(message: CrowdReport): void {
    if (message.is === 'state') {
      state = message.state
      onState(state)
    } else waiting.shift()?.(message.numbers)
  }

  /** Whatever runs this file as TypeScript runs that one too: fork hands the flags on. */
  function start(): void {
    const started = fork(CLIENTS)
    child = started
    started.on('message', (message) => heard(message as CrowdReport)) // it runs our own code
    started.on('error', (error) => console.error('lab: the crowd failed:', error.message))
    started.on('exit', () => {
      if (child === started) child = undefined
      for (const settle of waiting.splice(0)) settle([])
      state = NOBODY
      onState(state)
    })
  }

  function ask(command: CrowdCommand): Promise<number[]> {
    if (!child?.connected) return Promise.resolve([])
    return new Promise((resolve) => {
      waiting.push(resolve)
      tell(command)
    })
  }

  return {
    get state() {
      return state
    },
    open(count) {
      if (!child) start()
      tell({ do: 'open', count, ...address(), path })
    },
    stall: (count) => ask({ do: 'stall', count }),
    resume: () => ask({ do: 'resume' }),
    closeAll: () => tell({ do: 'close' }),
    forget(number) {
      gone.push(number)
      forgetting ??= setTimeout(() => {
        forgetting = undefined
        tell({ do: 'forget', numbers: gone })
        gone = []
      }, FORGET_AFTER)
    },
    async stop() {
      clearTimeout(forgetting)
      const running = child
      if (!running) return
      await new Promise<void>((resolve) => {
        running.once('exit', () => resolve())
        if (running.connected) running.disconnect()
        else running.kill()
      })
    },
  }
}

// The bus of one machine: processes of `node:cluster`, other child processes and worker threads share the log of one of them,
// over a local socket. An event crosses once to each process, however many connections read it there.

import { connect, type Socket } from 'node:net'
import type { AppendOptions, Bus, Page, Position, TailListener } from '../core/bus.ts'
import { checkMilliseconds, checkOptions } from '../core/check.ts'
import { SluiceError } from '../core/errors.ts'
import { bounded, pause, Tie } from './bounded.ts'
import { PATH_VARIABLE } from './cluster-server.ts'
import { entryOf, FrameReader, FrameWriter, type Head } from './cluster-wire.ts'
import { guarded } from './guarded.ts'

export { type BusServer, serveBus } from './cluster-server.ts'
export type { MemoryBusOptions } from './memory.ts'

export interface ClusterBusOptions {
  /** The socket of the sequencer. Default: where `serveBus` has put it for the processes that its own has forked. */
  readonly path?: string
  /** How long an answer may take, in milliseconds; 5_000 by default. */
  readonly timeout?: number
}

const FIRST_RETRY = 50
const LONGEST_RETRY = 2_000

/**
 * A bus for this process or thread, over the sequencer that `serveBus` runs in the process that started it.
 *
 *     if (cluster.isPrimary) {
 *       await serveBus()
 *       for (const _ of cpus()) cluster.fork()
 *     } else {
 *       const hub = createHub({ bus: clusterBus() })
 *     }
 *
 * When the sequencer ends, publishes reject and the feed is down; its processes begin anew with the next one, whose log is a new
 * epoch. A process that reads more slowly than others publish is sent the rest when it is there again.
 *
 * @throws {SluiceError} SLUICE_BAD_OPTION, also where no sequencer was started before this process was
 */
export function clusterBus(options: ClusterBusOptions = {}): Bus {
  const { path = process.env[PATH_VARIABLE], timeout = 5_000 } = checkOptions('clusterBus', options, [
    'path',
    'timeout',
  ])
  if (typeof path !== 'string' || path === '') {
    throw new SluiceError(
      'SLUICE_BAD_OPTION',
      'There is no sequencer to connect to; call serveBus() in the primary before it forks, or give its path.',
    )
  }
  return new ClusterBus(path, checkMilliseconds('timeout', timeout, 1, false))
}

interface Question {
  resolve(answer: { head: Head; body: Buffer }): void
}

class ClusterBus implements Bus {
  readonly name = 'cluster'
  readonly #path: string
  readonly #timeout: number
  readonly #listeners = new Set<TailListener>()
  readonly #questions = new Map<number, Question>()
  readonly #closing = new Tie()
  readonly #closed = new AbortController()
  /** What waits for the connection that is open now ends with it. */
  #connection: { socket: Socket; writer: FrameWriter; tie: Tie } | undefined
  #connecting: Promise<void> | undefined
  /** Asked once more for the feed, for a listener that came later: whom the next `up` is for. */
  #up: { epoch: string; head: Position } | undefined
  #last = 0

  constructor(path: string, timeout: number) {
    this.#path = path
    this.#timeout = timeout
  }

  async append(channel: string, body: Uint8Array, { dedupe, signal }: AppendOptions = {}): Promise<Position> {
    const { head } = await this.#ask(
      (r) => ({ k: 'append', r, c: channel, d: dedupe }),
      signal,
      'Appending',
      body,
    )
    if (head.k !== 'appended') throw new Error('the sequencer gave another answer')
    return head.p
  }

  async read(
    after: Position,
    limit: number,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<Page> {
    const { head, body } = await this.#ask((r) => ({ k: 'read', r, after, limit }), signal, 'Reading')
    if (head.k !== 'page') throw new Error('the sequencer gave another answer')
    let at = 0
    const entries = head.entries.map((one) => {
      at += one.n
      return entryOf(one, body.subarray(at - one.n, at))
    })
    return { entries, head: head.head, epoch: head.epoch, ...(head.lost ? { lost: 'trimmed' as const } : {}) }
  }

  async tail(listener: TailListener): Promise<{ close(): Promise<void> }> {
    this.#check(undefined)
    const first = this.#listeners.size === 0
    // `up` comes when the promise has settled, so that who waits for it knows it.
    let told: { epoch: string; head: Position } | undefined
    let settled = false
    const own: TailListener = {
      entry: (entry) => listener.entry(entry),
      down: (cause) => listener.down(cause),
      up: (state) => {
        if (settled) listener.up(state)
        else told = state
      },
    }
    this.#listeners.add(own)
    try {
      await bounded(this.#connect(), 'Connecting to the sequencer', this.#timeout, this.#closing)
      if (first || !this.#up) {
        this.#connection?.writer.write({ k: 'tail' })
        await bounded(
          this.#established(own, () => told !== undefined),
          'The feed',
          this.#timeout,
          this.#closing,
        )
      } else {
        const { epoch, head } = await this.read(Number.MAX_SAFE_INTEGER, 1)
        told = { epoch, head }
      }
    } catch (error) {
      this.#listeners.delete(own)
      throw error
    }
    settled = true
    const state = told
    if (state) guarded(() => listener.up(state))
    return {
      close: async () => {
        this.#listeners.delete(own)
        if (this.#listeners.size > 0) return
        this.#up = undefined
        this.#connection?.writer.write({ k: 'untail' })
      },
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(closed())
    this.#closed.abort()
    this.#listeners.clear()
    this.#connection?.tie.abort(closed())
    const socket = this.#connection?.socket
    if (!socket || socket.destroyed) return
    const gone = new Promise((resolve) => socket.once('close', resolve))
    socket.destroy()
    await gone
  }

  // --- The connection -----------------------------------------------------------------------------------------

  #established(listener: TailListener, told: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      if (told()) return resolve()
      const { up } = listener
      listener.up = (state) => {
        up(state)
        listener.up = up
        resolve()
      }
    })
  }

  async #ask(
    head: (question: number) => Head,
    signal: AbortSignal | undefined,
    what: string,
    body?: Uint8Array,
  ): Promise<{ head: Head; body: Buffer }> {
    this.#check(signal)
    await bounded(
      this.#connect(),
      `${what}: connecting to the sequencer`,
      this.#timeout,
      signal,
      this.#closing,
    )
    const connection = this.#connection
    if (!connection) throw unavailable()
    this.#last += 1
    const question = this.#last
    try {
      const answer = new Promise<{ head: Head; body: Buffer }>((resolve) => {
        this.#questions.set(question, { resolve })
      })
      connection.writer.write(head(question), ...(body ? [body] : []))
      return await bounded(answer, what, this.#timeout, signal, this.#closing, connection.tie)
    } finally {
      this.#questions.delete(question)
    }
  }

  /** Settles when there is a connection; goes on trying as long as somebody listens. */
  #connect(): Promise<void> {
    if (this.#connection) return Promise.resolve()
    this.#connecting ??= this.#open().finally(() => {
      this.#connecting = undefined
    })
    return this.#connecting
  }

  #open(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.#path)
      socket.once('error', (cause) => reject(unavailable(cause)))
      socket.once('connect', () => {
        if (this.#closing.aborted) {
          socket.destroy()
          reject(closed())
          return
        }
        // Only who listens keeps the process alive; and that is a hub's business, by its connections.
        socket.unref()
        const connection = { socket, writer: new FrameWriter(socket), tie: new Tie() }
        this.#connection = connection
        const reader = new FrameReader((head, body) => this.#heard(head, body))
        socket.on('data', (bytes) => {
          try {
            reader.read(bytes)
          } catch (error) {
            socket.destroy(error instanceof Error ? error : undefined)
          }
        })
        socket.once('close', () => {
          this.#connection = undefined
          connection.tie.abort(unavailable())
          this.#up = undefined
          if (this.#closing.aborted || this.#listeners.size === 0) return
          for (const listener of this.#listeners) guarded(() => listener.down(unavailable()))
          void this.#reconnect()
        })
        resolve()
      })
    })
  }

  async #reconnect(): Promise<void> {
    for (
      let wait = FIRST_RETRY;
      !this.#closing.aborted && this.#listeners.size > 0;
      wait = Math.min(LONGEST_RETRY, wait * 2)
    ) {
      await pause(wait * (0.5 + Math.random() / 2), this.#closed.signal)
      if (this.#closing.aborted) return
      try {
        await this.#connect()
        // `up` follows, and says whether it is the same log.
        this.#connection?.writer.write({ k: 'tail' })
        return
      } catch {}
    }
  }

  #heard(head: Head, body: Buffer): void {
    if (head.k === 'entry') {
      const entry = entryOf(head, body)
      for (const listener of this.#listeners) guarded(() => listener.entry(entry))
    } else if (head.k === 'up') {
      this.#up = { epoch: head.epoch, head: head.head }
      const state = this.#up
      for (const listener of this.#listeners) guarded(() => listener.up(state))
    } else if (head.k === 'appended' || head.k === 'page')
      this.#questions.get(head.r)?.resolve({ head, body })
  }

  #check(signal: AbortSignal | undefined): void {
    if (this.#closing.aborted) throw closed()
    signal?.throwIfAborted()
  }
}

function closed(): SluiceError {
  return new SluiceError('SLUICE_HUB_CLOSED', 'The cluster bus is closed.')
}

function unavailable(cause?: unknown): SluiceError {
  return new SluiceError(
    'SLUICE_BUS_UNAVAILABLE',
    'The sequencer does not answer; the process that called serveBus() has ended, or closed it.',
    { cause },
  )
}

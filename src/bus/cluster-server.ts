// The sequencer: one per machine, in the process that starts the others. It gives each event its position, holds the log, and
// sends what is new to every process, no faster than each of them reads.

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FrameReader, FrameWriter, type Head, headOf } from './cluster-wire.ts'
import { type MemoryBus, type MemoryBusOptions, memoryBus } from './memory.ts'

/** Where a process finds the sequencer of the one that has started it. */
export const PATH_VARIABLE = 'SLUICE_BUS'

/**
 * What may wait for a process that does not read. Beyond that it is sent nothing more, and told to read what it missed when it
 * is there again: a slow process costs the sequencer this much and no more.
 */
const WINDOW = 16_777_216

export interface BusServer {
  /** The local socket (on Windows a named pipe). Processes forked from now on find it by themselves. */
  readonly path: string
  /** Processes and threads that are connected now. */
  readonly clients: number
  /** Ends it: the others' publishes reject, their connections stay. */
  close(): Promise<void>
}

/**
 * Starts the sequencer in this process, for the processes that it forks (`node:cluster`, `child_process`) and its worker threads:
 * they call `clusterBus()`. Its log is in memory, bounded as that of `memoryBus`, and ends with this process.
 *
 * Only users who may read this process's temporary folder can connect.
 *
 * @throws {SluiceError} SLUICE_BAD_OPTION; rejects when the socket cannot be made
 */
export async function serveBus(options: MemoryBusOptions = {}): Promise<BusServer> {
  const log = memoryBus(options)
  // A folder of its own, which only this user may enter.
  const folder = process.platform === 'win32' ? undefined : mkdtempSync(join(tmpdir(), 'sluice-bus-'))
  const path = folder
    ? join(folder, 'socket')
    : `\\\\.\\pipe\\sluice-bus-${process.pid}-${crypto.randomUUID()}`
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    new Participant(socket, log)
  })
  await listen(server, path)
  // The sequencer alone keeps no process alive.
  server.unref()
  process.env[PATH_VARIABLE] = path
  return {
    path,
    get clients() {
      return sockets.size
    },
    async close() {
      if (process.env[PATH_VARIABLE] === path) delete process.env[PATH_VARIABLE]
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
      await log.close()
      if (folder) rmSync(folder, { recursive: true, force: true })
    },
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** One connection of a process or thread. */
class Participant {
  readonly #socket: Socket
  readonly #writer: FrameWriter
  readonly #log: MemoryBus
  #tail: { close(): Promise<void> } | undefined
  #turn: Promise<void> = Promise.resolve()
  /** It reads too slowly, and is sent nothing until it has caught up with what lies in the socket. */
  #behind = false

  constructor(socket: Socket, log: MemoryBus) {
    this.#socket = socket
    this.#writer = new FrameWriter(socket)
    this.#log = log
    socket.unref()
    const reader = new FrameReader((head, body) => void this.#asked(head, body))
    socket.on('data', (bytes) => {
      try {
        reader.read(bytes)
      } catch {
        socket.destroy()
      }
    })
    socket.on('drain', () => {
      if (!this.#behind) return
      this.#behind = false
      void this.#tellUp()
    })
    socket.on('error', () => {})
    socket.once('close', () => void this.#tail?.close())
  }

  async #asked(head: Head, body: Buffer): Promise<void> {
    try {
      if (head.k === 'append') {
        const p = await this.#log.append(head.c, body, head.d === undefined ? {} : { dedupe: head.d })
        this.#writer.write({ k: 'appended', r: head.r, p })
      } else if (head.k === 'read') {
        const { entries, ...page } = await this.#log.read(head.after, head.limit)
        this.#writer.write(
          {
            k: 'page',
            r: head.r,
            head: page.head,
            epoch: page.epoch,
            lost: page.lost !== undefined,
            entries: entries.map(headOf),
          },
          ...entries.map((entry) => entry.body),
        )
      } else if (head.k === 'tail') {
        // One after the other: two that ask at once must not leave one behind.
        this.#turn = this.#turn.then(() => this.#startTail())
        await this.#turn
      } else if (head.k === 'untail') {
        this.#turn = this.#turn.then(() => this.#endTail())
        await this.#turn
      } else throw new Error(`a frame of kind ${head.k}`)
    } catch {
      // A log in memory does not fail: what was asked made no sense.
      this.#socket.destroy()
    }
  }

  async #endTail(): Promise<void> {
    await this.#tail?.close()
    this.#tail = undefined
  }

  async #startTail(): Promise<void> {
    await this.#endTail()
    this.#tail = await this.#log.tail({
      up: ({ epoch, head }) => this.#writer.write({ k: 'up', epoch, head }),
      down: () => {},
      entry: (entry) => {
        if (this.#behind) return
        if (this.#socket.writableLength > WINDOW) this.#behind = true
        else this.#writer.write({ k: 'entry', ...headOf(entry) }, entry.body)
      },
    })
    // It may have gone while the tail was made.
    if (this.#socket.destroyed) await this.#tail.close()
  }

  /** Makes the process look for what it missed. */
  async #tellUp(): Promise<void> {
    const { epoch, head } = await this.#log.read(Number.MAX_SAFE_INTEGER, 1)
    this.#writer.write({ k: 'up', epoch, head })
  }
}

// How the publisher learns that every client has what was published: each load process says so on a socket of its own,
// with one byte per window. The publisher waits for it every few turns, the same for every peer, so that none outruns
// the clients and everything is delivered.

import { connect, createServer, type Socket } from 'node:net'

/** In the server process. */
export class Acks {
  readonly #server = createServer((socket) => {
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      this.#received += chunk.length
      this.#look()
    })
  })
  #received = 0
  #awaited = 0
  #resolve: (() => void) | undefined

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    const address = this.#server.address()
    return typeof address === 'object' && address ? address.port : 0
  }

  /** Settles when `processes` more acknowledgements have come. Rejects when they take longer than `within` ms. */
  next(processes: number, within: number): Promise<void> {
    this.#awaited += processes
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`events are missing: not every client had its window after ${within} ms`)),
        within,
      )
      this.#resolve = () => {
        clearTimeout(late)
        resolve()
      }
      this.#look()
    })
  }

  #look(): void {
    if (this.#received < this.#awaited) return
    const resolve = this.#resolve
    this.#resolve = undefined
    resolve?.()
  }
}

/** In a load process. */
export class Acknowledger {
  readonly #socket: Socket
  #window = Number.POSITIVE_INFINITY
  #count = 0

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1')
    this.#socket.setNoDelay(true)
    this.#socket.on('error', () => {})
  }

  /** From now on every `events` events, of all clients together, are a window. */
  expect(events: number): void {
    this.#window = events
    this.#count = 0
  }

  counted(events: number): void {
    this.#count += events
    if (this.#count < this.#window) return
    this.#count -= this.#window
    this.#socket.write('.')
  }

  close(): void {
    this.#socket.destroy()
  }
}

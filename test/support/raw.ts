// A client that writes bytes of its own making, for requests that no library would send.

import { connect, type Socket } from 'node:net'

export class RawClient {
  text = ''
  closed = false
  readonly #socket: Socket
  #look: () => void = () => {}

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (bytes) => {
      this.text += bytes.toString('latin1')
      this.#look()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
      this.#look()
    })
  }

  static open(port: number, options: { allowHalfOpen?: boolean } = {}): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', ...options })
      socket.once('connect', () => resolve(new RawClient(socket)))
      socket.once('error', reject)
    })
  }

  write(text: string): void {
    this.#socket.write(text, 'latin1')
  }

  pause(): void {
    this.#socket.pause()
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  reset(): void {
    this.#socket.resetAndDestroy()
  }

  until(done: (text: string) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`gave up waiting for ${done}; got ${JSON.stringify(this.text.slice(-500))}`)),
        10_000,
      )
      this.#look = () => {
        if (!done(this.text)) return
        clearTimeout(timer)
        this.#look = () => {}
        resolve()
      }
      this.#look()
    })
  }
}

/** Sends one request and gives what comes back, up to the end of a body of known length. */
export async function exchange(port: number, request: string): Promise<string> {
  const raw = await RawClient.open(port)
  raw.write(request)
  await raw.until((text) => {
    const head = text.indexOf('\r\n\r\n')
    const length = /content-length: (\d+)/i.exec(text)?.[1]
    return head !== -1 && (length === undefined || text.length >= head + 4 + Number(length))
  })
  raw.destroy()
  return raw.text
}

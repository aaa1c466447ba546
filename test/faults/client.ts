// A client over a plain socket, so that it can be killed, reset, stopped and slowed at any moment. It reads the event
// stream with code of its own, not with Sluice's decoder: LF only and no BOM, as Sluice promises to write it.

import { connect, type Socket } from 'node:net'
import type { Block } from './checker.ts'

export interface ClientOptions {
  port: number
  host?: string
  path?: string
  lastEventId?: string
  /** Further header lines, each with its CRLF. */
  headers?: string
  /** Sends only so many bytes of its request. */
  cut?: number
  /** Does not read until `socket.resume()`. */
  paused?: boolean
  localAddress?: string
  onHead?: (head: Head) => void
  onBlock?: (block: Block) => void
  /** Bytes of the body, as they arrive. */
  onBody?: (bytes: Buffer) => void
}

export interface Head {
  status: number
  headers: Map<string, string>
}

export class StreamClient {
  readonly socket: Socket
  readonly options: ClientOptions
  head: Head | undefined
  blocks = 0
  closed = false
  /** The code of the error that the socket ended with. */
  errored: string | undefined
  #text = ''
  #headText: string | undefined = ''
  #onClose: (() => void)[] = []

  constructor(options: ClientOptions) {
    this.options = options
    const { port, host = '127.0.0.1', path = '/', lastEventId, localAddress } = options
    const extra = options.headers ?? ''
    this.socket = connect(localAddress === undefined ? { port, host } : { port, host, localAddress })
    this.socket.setNoDelay(true)
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      this.errored = error.code
    })
    this.socket.on('close', () => {
      this.closed = true
      for (const tell of this.#onClose) tell()
    })
    const id = lastEventId ? `Last-Event-ID: ${lastEventId}\r\n` : ''
    const request = `GET ${path} HTTP/1.1\r\nHost: x\r\n${id}${extra}\r\n`
    this.socket.write(request.slice(0, options.cut), 'latin1')
    if (options.paused) this.socket.pause()
    this.socket.on('data', (bytes: Buffer) => this.#read(bytes))
    if (options.paused) this.socket.pause()
  }

  /** Settles when the socket is closed, by whom ever. */
  ended(): Promise<void> {
    return this.closed ? Promise.resolve() : new Promise((resolve) => this.#onClose.push(resolve))
  }

  /** As a process that dies: no FIN is waited for. */
  kill(): void {
    this.socket.destroy()
  }

  reset(): void {
    this.socket.resetAndDestroy()
  }

  #read(bytes: Buffer): void {
    if (this.#headText !== undefined) {
      this.#headText += bytes.toString('latin1')
      const end = this.#headText.indexOf('\r\n\r\n')
      if (end === -1) return
      const text = this.#headText
      this.#headText = undefined
      this.head = parseHead(text.slice(0, end))
      this.options.onHead?.(this.head)
      this.#text = text.slice(end + 4)
      this.options.onBody?.(bytes.subarray(bytes.length - this.#text.length))
    } else {
      this.options.onBody?.(bytes)
      this.#text += bytes.toString('latin1')
    }
    this.#parse()
  }

  #parse(): void {
    let start = 0
    // Killed in the middle by who looks at the blocks: what came with this piece is not seen any more.
    while (!this.socket.destroyed) {
      const end = this.#text.indexOf('\n\n', start)
      if (end === -1) break
      this.blocks += 1
      this.options.onBlock?.(parseBlock(this.#text.slice(start, end)))
      start = end + 2
    }
    if (start > 0) this.#text = this.#text.slice(start)
  }
}

function parseHead(text: string): Head {
  const [first = '', ...lines] = text.split('\r\n')
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const before = headers.get(name)
    const value = line.slice(colon + 1).trim()
    headers.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  return { status: Number(first.split(' ')[1]), headers }
}

function parseBlock(text: string): Block {
  const block: Block = { event: 'message', data: undefined, id: undefined, comments: 0 }
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === '') block.comments += 1
    else if (field === 'event') block.event = value
    else if (field === 'id') block.id = value
    else if (field === 'data') block.data = block.data === undefined ? value : `${block.data}\n${value}`
  }
  return block
}

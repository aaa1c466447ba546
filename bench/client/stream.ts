// One client's stream, as lean as it goes: a raw socket whose bytes are looked through for the event's marker. All
// streams of a process share one buffer, which each read fills and is done with.

import { connect, type Socket } from 'node:net'
import { DIGITS, MARKER, nowMicros } from '../event.ts'

const READ_BUFFER = Buffer.allocUnsafe(65_536)

export interface StreamHost {
  counted(events: number): void
  /** Micros from the event's time to its arrival. Only asked for while `timing`. */
  readonly timing: boolean
  late(micros: number): void
  /** The server ended it, or it broke. */
  lost(stream: Stream, reason: string): void
}

export interface StreamTarget {
  port: number
  path: string
  localAddress: string | undefined
  lastEventId: string | undefined
}

export class Stream {
  events = 0
  readonly #host: StreamHost
  readonly #socket: Socket
  #head: string | undefined = ''
  /** Digits of a time that a read has cut through. */
  #cut: string | undefined
  #opened: ((micros: number) => void) | undefined
  #left = false
  readonly #startedAt = nowMicros()

  /** @param opened called once with the time that the answer's first bytes took, in microseconds */
  constructor(host: StreamHost, target: StreamTarget, opened: (micros: number) => void) {
    this.#host = host
    this.#opened = opened
    const { port, path, localAddress, lastEventId } = target
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      ...(localAddress === undefined ? {} : { localAddress }),
      onread: {
        buffer: READ_BUFFER,
        callback: (length, buffer) => {
          this.#read(buffer as Buffer, length)
          return true
        },
      },
    })
    this.#socket.on('connect', () => {
      const resume = lastEventId ? `Last-Event-ID: ${lastEventId}\r\n` : ''
      this.#socket.write(
        `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n${resume}\r\n`,
      )
    })
    this.#socket.on('error', (error) => this.#lose(error.message))
    this.#socket.on('close', () => this.#lose('closed by the server'))
  }

  /** Stops reading: the kernel's buffers fill, then the server's. */
  stall(): void {
    this.#socket.pause()
  }

  leave(): void {
    this.#left = true
    this.#socket.destroy()
  }

  #lose(reason: string): void {
    if (this.#left) return
    this.#left = true
    this.#host.lost(this, reason)
  }

  #read(buffer: Buffer, length: number): void {
    let at = 0
    if (this.#head !== undefined) {
      at = this.#readHead(buffer, length)
      if (at < 0) return
    }
    if (this.#cut !== undefined && this.#host.timing) {
      const digits =
        this.#cut + buffer.toString('latin1', at, Math.min(length, at + DIGITS - this.#cut.length))
      this.#cut = digits.length < DIGITS ? digits : undefined
      if (digits.length === DIGITS) this.#host.late(nowMicros() - Number(digits))
    }
    let found = 0
    for (
      let marker = buffer.indexOf(MARKER, at);
      marker >= 0 && marker < length;
      marker = buffer.indexOf(MARKER, marker + 1)
    ) {
      found += 1
      if (this.#host.timing) this.#time(buffer, marker + 1, length)
    }
    if (found > 0) {
      this.events += found
      this.#host.counted(found)
    }
  }

  #time(buffer: Buffer, start: number, length: number): void {
    if (start + DIGITS > length) {
      this.#cut = buffer.toString('latin1', start, length)
      return
    }
    this.#host.late(nowMicros() - Number(buffer.toString('latin1', start, start + DIGITS)))
  }

  /** Where the body begins; -1 while the head is not complete. */
  #readHead(buffer: Buffer, length: number): number {
    if (this.#opened) {
      this.#opened(nowMicros() - this.#startedAt)
      this.#opened = undefined
    }
    const before = this.#head?.length ?? 0
    const head = (this.#head ?? '') + buffer.toString('latin1', 0, length)
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) {
      this.#head = head
      return -1
    }
    if (!head.startsWith('HTTP/1.1 200')) {
      this.#lose(`answered "${head.slice(0, head.indexOf('\r\n'))}"`)
      this.#socket.destroy()
      return -1
    }
    this.#head = undefined
    return end + 4 - before
  }
}

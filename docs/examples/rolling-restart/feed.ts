// The source that every process of this example reads: a file to which lines are appended. Each line's number is its event's
// own id, so what one process sent, another can resume.

import { open } from 'node:fs/promises'
import type { Channel } from 'sluice'

const NEWLINE = 0x0a

export class Feed {
  readonly #file: string
  readonly #channel: Channel
  #offset = 0
  #line = 0
  #rest = Buffer.alloc(0)
  #reading: Promise<void> | undefined
  #again = false

  constructor(file: string, channel: Channel) {
    this.#file = file
    this.#channel = channel
  }

  /**
   * Publishes what the file has by now. Also called before each client is connected: it may come from a process that has
   * read further than this one.
   */
  async catchUp(): Promise<void> {
    // Somebody is reading: what was appended before this call is surely in the reading after that.
    if (this.#reading) {
      this.#again = true
      return this.#reading
    }
    this.#reading = this.#read().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #read(): Promise<void> {
    const handle = await open(this.#file)
    try {
      do {
        this.#again = false
        for (;;) {
          const { bytesRead, buffer } = await handle.read(Buffer.alloc(65_536), 0, 65_536, this.#offset)
          if (bytesRead === 0) break
          this.#offset += bytesRead
          await this.#take(Buffer.concat([this.#rest, buffer.subarray(0, bytesRead)]))
        }
      } while (this.#again)
    } finally {
      await handle.close()
    }
  }

  async #take(bytes: Buffer): Promise<void> {
    let start = 0
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      this.#line += 1
      const data = bytes.toString('utf8', start, end)
      await this.#channel.publish({ id: `line-${this.#line}`, event: 'line', data })
      start = end + 1
    }
    this.#rest = Buffer.from(bytes.subarray(start))
  }
}

// Bytes to lines, whatever the pieces they come in. A line is given out once its newline has come, and not before.

const NEWLINE = 0x0a

export class LineSplitter {
  readonly #maxBytes: number
  #pieces: Buffer[] = []
  #size = 0
  /** Bytes of the line begun that were over the limit. */
  #cut = 0

  /** @param maxBytes of a line; what is longer is cut, and says by how much. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** The lines that `bytes` complete. Nothing of `bytes` is kept; the caller may read into it again. */
  write(bytes: Buffer): string[] {
    const lines: string[] = []
    let from = 0
    for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, from)) {
      this.#take(bytes.subarray(from, at))
      lines.push(this.#line())
      from = at + 1
    }
    this.#take(bytes.subarray(from))
    return lines
  }

  /** The line begun, if any: there is no more to come. */
  end(): string[] {
    return this.#size > 0 ? [this.#line()] : []
  }

  /** Forgets the line begun. */
  reset(): void {
    this.#pieces = []
    this.#size = 0
    this.#cut = 0
  }

  #line(): string {
    const text = Buffer.concat(this.#pieces).toString('utf8').replace(/\r$/, '')
    const line = this.#cut > 0 ? `${text} … (${this.#cut} bytes more)` : text
    this.reset()
    return line
  }

  #take(bytes: Buffer): void {
    const taken = bytes.subarray(0, this.#maxBytes - this.#size)
    if (taken.length > 0) this.#pieces.push(Buffer.from(taken))
    this.#size += taken.length
    this.#cut += bytes.length - taken.length
  }
}

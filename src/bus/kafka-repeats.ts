// Kafka knows no names of publishes, so what was sent twice is stored twice, and every reader passes over the second.
// The rule looks at the log alone, so that all come to the same entries: a record is a repeat when one of the `reach`
// records before it has the same name.

export class Repeats {
  readonly #reach: number
  /** Where each name was last, and where it was before it was repeated; the oldest `last` first, for a name that comes again goes to the end. */
  readonly #names = new Map<string, { first: number; last: number }>()

  constructor(reach: number) {
    this.#reach = reach
  }

  /** Whether this record is a repeat. Records must be asked about in the order of offsets, without leaving any out. */
  isRepeat(offset: number, name: string | undefined): boolean {
    if (name === undefined) return false
    const before = this.#names.get(name)
    const repeat = before !== undefined && before.last >= offset - this.#reach
    this.#names.delete(name)
    this.#names.set(name, { first: repeat ? before.first : offset, last: offset })
    for (const [oldest, { last }] of this.#names) {
      if (last >= offset - this.#reach) break
      this.#names.delete(oldest)
    }
    return repeat
  }

  /** The offset of the record that the repeats of a name repeat. */
  firstOf(name: string): number | undefined {
    return this.#names.get(name)?.first
  }

  clear(): void {
    this.#names.clear()
  }
}

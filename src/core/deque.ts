// A first-in, first-out list with an index. Array.prototype.shift moves every element of a long array; this one
// moves a mark and now and then drops what lies before it, so that each operation is constant over time.

/** How much may lie dead before the mark before the array is cut: small enough to waste little memory. */
const SLACK = 64

export class Deque<T> {
  #items: T[] = []
  #first = 0

  get length(): number {
    return this.#items.length - this.#first
  }

  /** The item at `index`, counted from the oldest. */
  at(index: number): T | undefined {
    return this.#items[this.#first + index]
  }

  push(item: T): void {
    this.#items.push(item)
  }

  /** Puts one in front: rare, so it may move the others. */
  unshift(item: T): void {
    this.#items.splice(this.#first, 0, item)
  }

  shift(): T | undefined {
    const items = this.#items
    if (this.#first === items.length) return undefined
    const item = items[this.#first] as T // within bounds: tested above
    // The slot must let go of the item at once: frames and connections are large, the slot is not.
    items[this.#first] = undefined as T
    this.#first += 1
    if (this.#first === items.length) {
      items.length = 0
      this.#first = 0
    } else if (this.#first > SLACK && this.#first * 2 > items.length) {
      items.splice(0, this.#first)
      this.#first = 0
    }
    return item
  }

  /** Keeps only the items that pass, in their order. */
  retain(keep: (item: T) => boolean): void {
    this.#items = this.#items.slice(this.#first).filter(keep)
    this.#first = 0
  }
}

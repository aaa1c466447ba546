// A few of many, evenly over the order they came in, in bounded memory and without chance.

/** Kept at the most: a pile of a twentieth still has some two dozen. */
const MOST = 512

export class Sample<T> {
  #items: T[] = []
  /** Every so many that come, one is kept. */
  #stride = 1
  #seen = 0

  add(item: T): void {
    if (this.#seen % this.#stride === 0) {
      if (this.#items.length === MOST) {
        // As if only every second of those kept had been taken from the start.
        this.#items = this.#items.filter((_, index) => index % 2 === 0)
        this.#stride *= 2
      }
      if (this.#seen % this.#stride === 0) this.#items.push(item)
    }
    this.#seen += 1
  }

  get items(): readonly T[] {
    return this.#items
  }
}

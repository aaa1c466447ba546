// Reconnects that come all at once: counted by the second, each second judged once its neighbours are known. A return
// that is spread over ten seconds, as `reconnectOver` asks for, is none.

/** Seconds looked at on both sides of the one that is judged. */
const AROUND = 10
const SECONDS = 2 * AROUND + 1
const SECOND = 1_000
/** Fewer reconnects in a second than this are no burst, whatever the rest. */
const LEAST = 50

export interface Burst {
  /** Reconnects within its one second. */
  readonly reconnects: number
}

export class Bursts {
  readonly #onBurst: (burst: Burst) => void
  readonly #ring = new Uint32Array(SECONDS)
  #second: number

  /** @param onBurst called, ten seconds after, for every second that held a burst */
  constructor(now: number, onBurst: (burst: Burst) => void) {
    this.#second = Math.floor(now / SECOND)
    this.#onBurst = onBurst
  }

  reconnected(now: number): void {
    this.advance(now)
    const place = this.#second % SECONDS
    this.#ring[place] = (this.#ring[place] ?? 0) + 1
  }

  /** Judges what can be judged by now. */
  advance(now: number): void {
    const second = Math.floor(now / SECOND)
    // After a ring's worth of seconds everything was judged and cleared.
    const end = Math.min(second, this.#second + SECONDS)
    while (this.#second < end) {
      // The ring holds this second, which is over, and twenty before it.
      this.#judge(this.#second - AROUND)
      this.#second += 1
      this.#ring[this.#second % SECONDS] = 0
    }
    this.#second = second
  }

  #judge(second: number): void {
    const reconnects = this.#ring[((second % SECONDS) + SECONDS) % SECONDS] ?? 0
    if (reconnects < LEAST) return
    const around = this.#ring.reduce((sum, count) => sum + count, 0)
    if (reconnects * 2 >= around) this.#onBurst({ reconnects })
  }
}

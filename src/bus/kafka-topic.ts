// The partition that holds the log: how far it has come, and in which life it is.

import { bounded, pause } from './bounded.ts'
import { epochOf } from './epoch.ts'
import type { KafkaPort } from './kafka-port.ts'

/** A partition that seems to have gone back is asked so many times more, this far apart: a new leader may know less for a moment. */
const DOUBTS = 2
const DOUBT_PAUSE = 250

export interface TopicState {
  readonly epoch: string
  /** Offset of the oldest record held. */
  readonly low: number
  /** Offset of the next record to come; as a position, the newest there is. */
  readonly high: number
}

export class KafkaTopic {
  readonly #port: KafkaPort
  readonly #life: string | undefined
  readonly #timeout: number
  readonly #onEpoch: () => void
  /** How often the partition has gone back under our eyes. */
  #returns = 0
  #identity = ''
  #known = false
  /** The highest `high` known to have been reached in this life. */
  #highest = 0
  #running: Promise<void> = Promise.resolve()
  #waiting: Promise<TopicState> | undefined

  constructor(port: KafkaPort, life: string | undefined, timeout: number, onEpoch: () => void) {
    this.#port = port
    this.#life = life
    this.#timeout = timeout
    this.#onEpoch = onEpoch
  }

  saw(offset: number): void {
    this.#highest = Math.max(this.#highest, offset + 1)
  }

  /** Asks the brokers, once at a time, so that no older answer is learnt after a newer one. */
  state(signal?: AbortSignal): Promise<TopicState> {
    if (!this.#waiting) {
      const waiting = this.#running.then(() => {
        this.#waiting = undefined
        return this.#ask()
      })
      this.#waiting = waiting
      this.#running = waiting.then(nothing, nothing)
    }
    return bounded(this.#waiting, 'Asking Kafka for the topic', 2 * this.#timeout, signal)
  }

  async #ask(): Promise<TopicState> {
    const floor = this.#highest
    let found = await this.#watermarks()
    for (let doubts = 0; doubts < DOUBTS && found.high < floor; doubts++) {
      await pause(DOUBT_PAUSE)
      found = await this.#watermarks()
    }
    const { low, high, identity = '' } = found
    const other = identity !== this.#identity
    const back = high < floor
    this.#identity = identity
    if (this.#known && (other || back)) {
      // Another cluster or partition has another name already, unless the application has given both the same.
      if (back && (!other || this.#life !== undefined)) this.#returns++
      this.#highest = high
      this.#onEpoch()
    }
    this.#known = true
    this.#highest = Math.max(this.#highest, high)
    const life = this.#life === undefined ? identity : `named ${this.#life}`
    return { epoch: epochOf(`kafka ${life} ${this.#returns}`), low, high }
  }

  #watermarks() {
    return bounded(this.#port.watermarks(), 'Asking Kafka for the watermarks', this.#timeout)
  }
}

function nothing(): void {}

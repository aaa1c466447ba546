// The end of a hub: every client gets what is queued for it and a moment to come back at; who does not take it is cut.

import { checkOptions, checkWait } from './check.ts'
import type { Clock } from './clock.ts'
import type { Connection } from './connection.ts'
import { encodeText } from './event-stream/encode.ts'

/** Options of `hub.close`. */
export interface CloseOptions {
  /** Milliseconds that clients are given to take what is queued for them; then they are cut. Default 5_000. */
  within?: number
  /** Milliseconds over which the clients are asked to spread their return. Default 10_000. */
  reconnectOver?: number
}

/** How the connections of a hub that was closed came to their end. */
export interface CloseCounts {
  /** Took everything that was queued, and the farewell (or left by themselves meanwhile). */
  ended: number
  /** Were cut when the time was over. */
  destroyed: number
}

export class Shutdown {
  readonly reconnectOver: number
  readonly within: number
  #emptied: (() => void) | undefined

  /** @throws {SluiceError} SLUICE_BAD_OPTION */
  constructor(options: CloseOptions) {
    const { within = 5_000, reconnectOver = 10_000 } = checkOptions('close', options, [
      'within',
      'reconnectOver',
    ])
    this.within = checkWait('within', within)
    this.reconnectOver = checkWait('reconnectOver', reconnectOver)
  }

  async run(connections: ReadonlySet<Connection>, clock: Clock, random: () => number): Promise<CloseCounts> {
    const all = connections.size
    for (const connection of connections) {
      if (!connection.isOpen) continue
      connection.post(encodeText({ retry: Math.round(random() * this.reconnectOver) }), 0)
      connection.leave('shutdown')
    }
    if (all > 0) {
      await new Promise<void>((resolve) => {
        const cancel = clock.after(this.within, resolve)
        this.#emptied = () => {
          cancel()
          resolve()
        }
      })
    }
    const destroyed = connections.size
    for (const connection of connections) connection.destroy('shutdown')
    return { ended: all - destroyed, destroyed }
  }

  /** The last connection has ended. */
  emptied(): void {
    this.#emptied?.()
  }
}

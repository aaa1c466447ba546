// Reads the bus further back than this process has heard it, for clients that resume from there: everything that their
// channels still have room for goes into the logs, as if it had been heard. One pass at a time serves all who wait.

import type { Entry, Page } from './bus.ts'
import type { ChannelState } from './channel.ts'
import type { Frame } from './frame.ts'
import { Log } from './log.ts'

export interface RecallHost {
  readonly head: number
  readPage(after: number): Promise<Page>
  /** Reads on until nothing is missing that the bus had when it was called. */
  catchUp(): Promise<void>
  findChannel(name: string): ChannelState | undefined
  read(entry: Entry): { frame: Frame; final: boolean } | undefined
  /** The epoch under which pages are read. */
  readonly busEpoch: string | undefined
}

interface Waiting {
  readonly after: number
  readonly channels: readonly string[]
  resolve: () => void
}

/** One channel's part of a pass: what is read is kept and bounded as the channel's own log would. */
class Pile {
  readonly log: Log
  readonly channel: ChannelState
  readonly after: number
  /** Frames after this one are older than nothing here. */
  readonly through: number
  endedAt = 0

  constructor(channel: ChannelState, after: number) {
    this.channel = channel
    this.after = after
    this.through = channel.log.coldBefore
    this.log = new Log(channel.options, channel.options.overflow === 'latest', after)
  }

  frames(): Frame[] {
    const found: Frame[] = []
    for (let index = 0; index < this.log.end; index += 1) {
      const frame = this.log.at(index)
      if (frame) found.push(frame)
    }
    return found
  }
}

export class Recall {
  readonly #host: RecallHost
  #waiting = new Set<Waiting>()
  #running = false

  constructor(host: RecallHost) {
    this.#host = host
  }

  /** Settles when these channels hold all after `after` that the bus and their bounds allow, or when who asks is gone. Never rejects. */
  ask(after: number, channels: readonly string[], gone: Promise<unknown>): Promise<void> {
    return new Promise((resolve) => {
      const waiting = { after, channels, resolve }
      this.#waiting.add(waiting)
      void gone.then(() => {
        this.#waiting.delete(waiting)
        // A pass that is under way holds no more of it than this.
        waiting.resolve = () => {}
        resolve()
      })
      if (!this.#running) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#running = true
    while (this.#waiting.size > 0) {
      const round = [...this.#waiting]
      this.#waiting.clear()
      try {
        // Some clients are ahead of us.
        if (round.some(({ after }) => after > this.#host.head)) await this.#host.catchUp()
        await this.#pass(round)
      } catch {
        // The hub is closing; who waits is closed with it.
      }
      for (const waiting of round) waiting.resolve()
    }
    this.#running = false
  }

  async #pass(round: readonly Waiting[]): Promise<void> {
    const host = this.#host
    const piles = new Map<string, Pile>()
    for (const { after, channels } of round) {
      for (const name of channels) {
        const channel = host.findChannel(name)
        if (!channel || channel.log.coldBefore <= after || channel.log.lostThrough !== channel.log.coldBefore)
          continue
        const known = piles.get(name)
        if (!known || known.after > after) piles.set(name, new Pile(channel, after))
      }
    }
    const all = [...piles.values()]
    if (all.length === 0) return
    const end = Math.max(...all.map(({ through }) => through))
    const epoch = host.busEpoch
    let position = Math.min(...all.map(({ after }) => after))
    while (position < end) {
      const page = await host.readPage(position)
      // What was collected means nothing in another life of the log.
      if (page.epoch !== epoch || host.busEpoch !== epoch) return
      const [first] = page.entries
      if (page.lost) {
        const through = first ? (first.previous ?? first.position - 1) : page.head
        for (const pile of all) pile.log.lose(Math.min(through, pile.through))
      }
      for (const entry of page.entries) {
        const pile = piles.get(entry.channel)
        if (!pile || entry.position <= pile.after || entry.position > pile.through) continue
        const read = host.read(entry)
        if (read) pile.log.append(read.frame)
        if (read?.final) pile.endedAt = entry.position
      }
      const last = page.entries.at(-1)
      if (!last) break
      position = last.position
    }
    for (const pile of all) {
      const { channel, after, endedAt, through } = pile
      // It may have been made anew, or pushed out what it had, meanwhile.
      if (host.findChannel(channel.name) !== channel || channel.log.coldBefore !== through) continue
      channel.log.recall(pile.frames(), after, pile.log.lostThrough)
      if (endedAt > 0) channel.endedAt = endedAt
    }
  }
}

// A real bus in this process whose feed and answers a test can break.

import { type MemoryBus, memoryBus } from '../../src/bus/memory.ts'
import type { AppendOptions, Bus, Entry, Page, TailListener } from '../../src/core/bus.ts'
import type { CoreHub } from './core-hub.ts'

/** A bus that fails as its test says. */
export class FaultyBus implements Bus {
  readonly name = 'faulty'
  readonly inner: MemoryBus
  /** Says what becomes of an entry of the feed. */
  passes: (entry: Entry) => boolean = () => true
  appends = true
  reads = true
  hangs = false
  epoch: string | undefined
  lost = 0
  readonly names: string[] = []
  listener: TailListener | undefined

  constructor(inner: MemoryBus = memoryBus()) {
    this.inner = inner
  }

  append(channel: string, body: Uint8Array, options?: AppendOptions): Promise<number> {
    if (options?.dedupe) this.names.push(options.dedupe)
    if (this.hangs) return new Promise(() => {})
    if (!this.appends) return Promise.reject(new Error('no append'))
    return this.inner.append(channel, body, options)
  }

  async read(after: number, limit: number): Promise<Page> {
    if (!this.reads) throw new Error('no read')
    const page = await this.inner.read(after, limit)
    const entries = page.entries.filter(({ position }) => position > this.lost)
    return {
      ...page,
      entries,
      epoch: this.epoch ?? page.epoch,
      ...(after < this.lost ? { lost: 'trimmed' as const } : {}),
    }
  }

  tail(listener: TailListener): Promise<{ close(): Promise<void> }> {
    this.listener = listener
    return this.inner.tail({
      ...listener,
      up: (state) => listener.up({ ...state, epoch: this.epoch ?? state.epoch }),
      down: (cause) => listener.down(cause),
      entry: (entry) => {
        if (this.passes(entry)) listener.entry(entry)
      },
    })
  }

  close(): Promise<void> {
    return this.inner.close()
  }
}

/** Everything that is under way comes to rest, on the hubs' clocks and off them. */
export async function rest(...hubs: CoreHub[]): Promise<void> {
  for (let round = 0; round < 30; round += 1) {
    await new Promise((resolve) => setImmediate(resolve))
    for (const hub of hubs) hub.fake.settle()
  }
}

// A hub without a server: connections are opened as a door would, over sinks in memory and a clock turned by hand.

import { type ConnectOptions, checkConnectOptions } from '../../src/core/connect-options.ts'
import type { Connection } from '../../src/core/connection.ts'
import { type ErrorContext, Hub } from '../../src/core/hub.ts'
import type { HubOptions } from '../../src/core/hub-options.ts'
import type { Answer } from '../../src/core/opening.ts'
import { FakeClock } from './fake-clock.ts'
import { MemorySink } from './memory-sink.ts'

export interface Opened {
  connection: Connection
  sink: MemorySink
  headers: Map<string, string | readonly string[]>
}

export class CoreHub extends Hub {
  readonly fake: FakeClock
  readonly errors: [error: unknown, context: ErrorContext][] = []

  constructor(options: HubOptions = {}) {
    const fake = new FakeClock()
    super({ clock: fake, random: () => 0.5, ...options })
    this.fake = fake
    this.on('error', (error, context) => this.errors.push([error, context]))
  }

  /** Answers a GET as a door would. */
  ask(
    options: ConnectOptions = {},
    lastEventId?: string | null,
    more: { accept?: string; address?: string } = {},
  ): Answer | ReturnType<Hub['entrance']['receive']> {
    const facts = {
      method: 'GET',
      url: '/',
      origin: undefined,
      lastEventId,
      accept: undefined,
      address: undefined,
      ...more,
    }
    return this.entrance.receive(facts, checkConnectOptions(options))
  }

  /** Opens a connection whose sink takes every write, or none with `stalled`. */
  open(options: ConnectOptions = {}, lastEventId?: string | null, stalled = false): Opened {
    return this.admit(this.ask(options, lastEventId), stalled)
  }

  /** Opens what `ask` was answered with. */
  admit(decided: ReturnType<CoreHub['ask']>, stalled = false): Opened {
    if (!('begin' in decided)) throw new Error(`answered ${JSON.stringify(decided)} instead of opening`)
    const sink = new MemorySink(stalled ? undefined : this.fake)
    const connection = decided.begin(sink)
    return { connection, sink, headers: new Map(decided.headers.map(([name, value]) => [name, value])) }
  }

  /** Publishes numbers as data; gives the ids. */
  async count(channel: string, from: number, to: number): Promise<string[]> {
    const ids: Promise<string>[] = []
    for (let n = from; n <= to; n += 1) ids.push(this.publish(channel, { data: String(n) }))
    this.fake.settle()
    return Promise.all(ids)
  }
}

/** The numbers from `from` to `to`, as the data of `count` arrives. */
export function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => String(from + index))
}

// A client that comes back: one witness over as many connections as it takes, each with the last event ID of the one before,
// as an EventSource does it.

import { type Block, Witness } from './checker.ts'
import { type ClientOptions, StreamClient } from './client.ts'
import type { Report } from './scenario.ts'

export interface ReaderOptions extends Omit<ClientOptions, 'onHead' | 'onBlock' | 'lastEventId'> {
  onBlock?: (block: Block) => void
}

export class Reader {
  readonly witness: Witness
  readonly options: ReaderOptions
  client: StreamClient | undefined
  connections = 0

  constructor(report: Report, name: string, options: ReaderOptions) {
    this.witness = new Witness(report, name)
    this.options = options
    report.after(() => this.client?.kill())
  }

  open(more: Partial<ReaderOptions> = {}): StreamClient {
    this.client?.kill()
    this.connections += 1
    const { witness, options } = this
    this.client = new StreamClient({
      ...options,
      ...more,
      lastEventId: witness.lastEventId,
      onHead: ({ status, headers }) => {
        if (status === 200) witness.opened(headers.get('sluice-resume'))
      },
      onBlock: (block) => {
        witness.saw(block)
        options.onBlock?.(block)
      },
    })
    return this.client
  }
}

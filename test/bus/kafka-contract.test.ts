// In a file of its own: each consumer group takes the mock cluster three seconds to form.

import { kafkaBus, kafkajsPort } from '../../src/bus/kafka.ts'
import { kafka, kcat } from '../support/kafka.ts'
import { need } from '../support/need.ts'
import { busContract } from './contract.ts'

busContract(
  'kafka',
  async () => {
    const ends: (() => unknown)[] = []
    const server = await kafka({ after: (end) => ends.unshift(end) })
    return {
      bus: async () => kafkaBus({ port: kafkajsPort({ kafka: server.client(), topic: 'log' }) }),
      async hang() {
        await server.freeze()
        return () => server.thaw()
      },
      async close() {
        for (const end of ends) await end()
      },
    }
  },
  // The mock cluster keeps 5 MiB, and gives one entry at a time.
  { ...need('kcat', kcat), largest: 524_288, pace: 5 },
)

// A relay in front of a server: where it leads can be changed, and answers can be lost on the way.

import { connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { listen } from './server.ts'

export interface TcpRelay {
  readonly port: number
  /** Where new connections lead. */
  target: number
  /** Ends all connections, as a crash does. */
  cut(): void
  /**
   * The next answer to anything sent from now on is swallowed, and all connections are cut then.
   *
   * @returns when that has happened
   */
  loseAnswer(): Promise<void>
}

export async function tcpRelay(t: Pick<TestContext, 'after'>, target: number): Promise<TcpRelay> {
  const sockets = new Set<Socket>()
  let lose: (() => void) | undefined
  const server = createServer((near) => {
    const far = connect(relay.target, '127.0.0.1')
    let asked = false
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('error', () => {})
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
    }
    near.on('data', (bytes) => {
      asked = lose !== undefined
      far.write(bytes)
    })
    far.on('data', (bytes) => {
      if (lose && asked) {
        relay.cut()
        lose()
        lose = undefined
      } else near.write(bytes)
    })
  })
  const relay: TcpRelay = {
    port: await listen(server),
    target,
    cut() {
      for (const socket of sockets) socket.destroy()
    },
    loseAnswer: () =>
      new Promise((resolve) => {
        lose = resolve
      }),
  }
  t.after(() => {
    relay.cut()
    server.close()
  })
  return relay
}

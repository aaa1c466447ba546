// What one can do with the crowd, within limits: open, stall, resume, close. Knows which connections are the
// crowd's, gives them something to read, and says in words what was done.

import type { Connection } from '../../../src/index.ts'
import type { Channels } from './channels.ts'
import { createCrowd } from './crowd.ts'
import { createFirehose } from './firehose.ts'
import { HttpError } from './http.ts'

const MAX_CROWD = 5_000
/** Each stalled reader holds some 4 MB of kernel memory until it is given up. */
const MAX_STALLED = 200
const TICKS_PERIOD = 100

export interface CrowdControl {
  /** A member of the crowd has connected, with the number it gave itself. */
  join(connection: Connection, number: number): void
  /**
   * Carries out `action` for `count` clients; settles with how many it was.
   *
   * @throws {HttpError} 400, 409
   */
  order(action: unknown, count: unknown): Promise<number>
  state(): { open: number; connecting: number; stalled: number; failed: number; load: boolean }
  stop(): Promise<void>
}

export function createCrowdControl(
  channels: Channels,
  address: () => { host: string; port: number },
  note: (text: string) => void,
): CrowdControl {
  const members = new Map<number, Connection>()
  const ticks = createTicks(channels)

  const firehose = createFirehose(channels.load, () => {
    tell()
    note('The firehose stopped by itself')
  })
  const crowd = createCrowd({
    address,
    path: '/events?channels=figures,ticks',
    onState: (state) => {
      ticks.run(state.open > 0)
      tell()
    },
  })

  const state = () => ({ ...crowd.state, load: firehose.running })

  function tell(): void {
    channels.crowd.publish({ event: 'crowd', data: state() })
  }

  function connectionsOf(numbers: readonly number[]): Connection[] {
    return numbers.flatMap((number) => members.get(number) ?? [])
  }

  function open(count: number): number {
    if (crowd.state.open + crowd.state.connecting + count > MAX_CROWD) {
      throw new HttpError(409, 'LAB_FULL', `The crowd is ${MAX_CROWD} clients at the most; close some.`)
    }
    crowd.open(count)
    note(`${words(count)} opened`)
    return count
  }

  async function stall(count: number): Promise<number> {
    if (crowd.state.stalled + count > MAX_STALLED) {
      throw new HttpError(409, 'LAB_STALLED', `At most ${MAX_STALLED} stall at a time; wait for their end.`)
    }
    const connections = connectionsOf(await crowd.stall(count))
    if (connections.length === 0) {
      throw new HttpError(409, 'LAB_NO_CROWD', 'There is no client to stall; open some first.')
    }
    firehose.add(connections)
    tell()
    note(`${words(connections.length)} stopped reading`)
    reportEnd(connections)
    return connections.length
  }

  /** The answer to what the visitor is waiting for: how long it took until the last of them was given up. */
  function reportEnd(connections: readonly Connection[]): void {
    const start = performance.now()
    Promise.all(connections.map(({ closed }) => closed)).then((all) => {
      const stalled = all.filter(({ reason }) => reason === 'stalled').length
      if (stalled === 0) return
      const seconds = ((performance.now() - start) / 1_000).toFixed(1)
      note(`${words(stalled)} closed as stalled, ${seconds} s after they stopped reading`)
    })
  }

  async function resume(): Promise<number> {
    const connections = connectionsOf(await crowd.resume())
    firehose.remove(connections)
    if (connections.length > 0) note(`${words(connections.length)} read again`)
    return connections.length
  }

  function close(): number {
    const count = crowd.state.open + crowd.state.connecting
    crowd.closeAll()
    if (count > 0) note(`${words(count)} left`)
    return count
  }

  tell()
  return {
    join(connection, number) {
      if (members.has(number)) return
      members.set(number, connection)
      connection.closed.then(() => {
        members.delete(number)
        crowd.forget(number)
      })
    },
    async order(action, count) {
      switch (action) {
        case 'open':
          return open(wholeNumber(count ?? 1_000, MAX_CROWD))
        case 'stall':
          return stall(wholeNumber(count ?? 100, MAX_STALLED))
        case 'resume':
          return resume()
        case 'close':
          return close()
        default:
          throw new HttpError(400, 'LAB_BAD_ACTION', 'action must be open, stall, resume or close.')
      }
    },
    state,
    async stop() {
      ticks.run(false)
      firehose.stop()
      await crowd.stop()
    },
  }
}

/** Something to read: ten events a second of the size of a price update. */
function createTicks({ ticks }: Channels): { run(on: boolean): void } {
  let timer: NodeJS.Timeout | undefined
  let n = 0
  function tick(): void {
    n += 1
    const price = 64_000 + Math.round(1_000 * Math.sin(n / 50))
    ticks.publish({ event: 'tick', data: { n, at: Date.now(), symbol: 'SLUICE', price } })
  }
  return {
    run(on) {
      if (on) timer ??= setInterval(tick, TICKS_PERIOD)
      else {
        clearInterval(timer)
        timer = undefined
      }
    },
  }
}

function wholeNumber(count: unknown, most: number): number {
  if (!Number.isSafeInteger(count) || Number(count) < 1 || Number(count) > most) {
    throw new HttpError(400, 'LAB_BAD_COUNT', `count must be a whole number from 1 to ${most}.`)
  }
  return Number(count)
}

function words(count: number): string {
  return count === 1 ? '1 client' : `${count.toLocaleString('en')} clients`
}

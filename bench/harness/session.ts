// One server with its clients: starts a peer in a process of its own and load processes beside it, and ends them all.

import type { ConnectOrder, WorkerOperations } from '../client/worker.ts'
import { plan } from '../limits.ts'
import type { PeerName } from '../peers/index.ts'
import type { PeerOptions } from '../peers/peer.ts'
import { joined } from '../statistics.ts'
import type { Role } from './pin.ts'
import type { FanOutOrder, FanOutResult, PacedOrder, PacedResult } from './publisher.ts'
import { Remote } from './remote.ts'
import type { ServerOperations } from './server.ts'

const SERVER = new URL('./server.ts', import.meta.url)
const WORKER = new URL('../client/worker.ts', import.meta.url)
/** Streams that are opened at once, unless a storm is asked for. */
const GENTLE = 256
/** What is published before every client must have it: few enough bytes to lie in the kernel's buffers, so that nobody blocks. */
const WINDOW_BYTES = 65_536
const WINDOW_TURNS = 32
const WINDOW_DELIVERIES = 100_000
const QUIET_LOOKS = 200

export interface ConnectOptions {
  path?: string
  lastEventId?: string
  stalled?: boolean
  /** All at once. */
  storm?: boolean
}

export type FanOutOptions = Pick<FanOutOrder, 'burst' | 'size' | 'seconds'> &
  Partial<Pick<FanOutOrder, 'pace' | 'warmSeconds'>>

let profiling: string[] = []

/** Every server process from now on writes a CPU profile of its life into `directory`. */
export function profileServers(directory: string): void {
  profiling = ['--cpu-prof', `--cpu-prof-dir=${directory}`]
}

export class Session {
  readonly server: Remote<ServerOperations>
  readonly #workers: Remote<WorkerOperations>[]
  readonly #addresses: string[]
  #port = 0
  #connected: number[]
  #stalled = 0

  private constructor(peer: PeerName, most: number) {
    const { shares, addresses } = plan(most)
    this.#addresses = addresses
    this.server = new Remote(`server ${peer}`, SERVER, roleOf(peer), profiling)
    this.#workers = shares.map((_, index) => new Remote(`load ${index + 1}`, WORKER, 'load'))
    this.#connected = shares.map(() => 0)
  }

  /** @param most connections that it will have at once */
  static async run<T>(
    peer: PeerName,
    most: number,
    work: (session: Session) => Promise<T>,
    options: PeerOptions = {},
  ): Promise<T> {
    const session = new Session(peer, most)
    try {
      const { port, ackPort } = await session.server.call('start', { name: peer, options })
      session.#port = port
      await Promise.all(session.#workers.map((worker) => worker.call('acknowledge', { port: ackPort })))
      return await work(session)
    } finally {
      await session.#end()
    }
  }

  get connections(): number {
    return this.#connected.reduce((sum, count) => sum + count, 0)
  }

  /** Those that read. */
  get #readers(): number {
    return this.connections - this.#stalled
  }

  /** Opens streams until every one has answered; the times to first byte, in milliseconds. */
  async connect(count: number, options: ConnectOptions = {}): Promise<Float64Array> {
    const shares = shared(count, this.#workers.length)
    const { storm = false, path = '/', ...rest } = options
    const times = await Promise.all(
      this.#workers.map((worker, index) => {
        const order: ConnectOrder = {
          port: this.#port,
          path,
          count: shares[index] ?? 0,
          concurrency: storm ? count : Math.ceil(GENTLE / this.#workers.length),
          addresses: this.#addresses,
          ...rest,
        }
        return worker.call('connect', order)
      }),
    )
    for (const [index, share] of shares.entries())
      this.#connected[index] = (this.#connected[index] ?? 0) + share
    if (options.stalled) this.#stalled += count
    return joined(times)
  }

  async leave(count: number): Promise<void> {
    const shares = shared(count, this.#workers.length)
    await Promise.all(
      this.#workers.map((worker, index) => worker.call('leave', { count: shares[index] ?? 0 })),
    )
    for (const [index, share] of shares.entries())
      this.#connected[index] = (this.#connected[index] ?? 0) - share
  }

  /** Publishes as fast as it goes, in windows. Fails when an event is missing at any client. */
  async fanOut({ burst, size, ...rest }: FanOutOptions): Promise<FanOutResult> {
    const { connections } = this
    const turns = Math.max(
      1,
      Math.min(
        WINDOW_TURNS,
        Math.floor(WINDOW_BYTES / (burst * size)),
        Math.floor(WINDOW_DELIVERIES / (burst * connections)),
      ),
    )
    await this.expect(turns * burst)
    const result = await this.server.call('fanOut', {
      burst,
      size,
      turns,
      connections,
      loadProcesses: this.#workers.length,
      warmSeconds: 0.5,
      pace: 'written',
      ...rest,
    })
    await this.verify(result.published)
    return result
  }

  /** Publishes at a rate, with the latency that each client saw of each event, in milliseconds. */
  async paced(order: PacedOrder): Promise<PacedResult & { latencies: Float64Array }> {
    await Promise.all(this.#workers.map((worker) => worker.call('time', { on: true })))
    const before = await this.#total()
    const result = await this.server.call('paced', order)
    await this.#arrived(before + result.published * this.#readers)
    const latencies = await Promise.all(this.#workers.map((worker) => worker.call('time', { on: false })))
    return { ...result, latencies: joined(latencies) }
  }

  /**
   * Waits for the clients to have `events` in all: an overloaded server is late, and what is late counts. Not for ever, and
   * not for those who have left or stalled meanwhile: ten seconds without any are the end.
   */
  async #arrived(events: number): Promise<void> {
    let last = -1
    for (let quiet = 0; quiet < QUIET_LOOKS; quiet += 1) {
      const total = await this.#total()
      if (total >= events) return
      if (total !== last) quiet = 0
      last = total
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  async #total(): Promise<number> {
    return (await this.counts()).reduce((sum, { total }) => sum + total, 0)
  }

  /** Counts from zero; `events` for each client are a window. */
  async expect(events: number): Promise<void> {
    await Promise.all(
      this.#workers.map((worker, index) =>
        worker.call('expect', { events: events * (this.#connected[index] ?? 0) || Number.POSITIVE_INFINITY }),
      ),
    )
  }

  async counts() {
    return await Promise.all(this.#workers.map((worker) => worker.call('counts', undefined)))
  }

  /** @throws when any client has not exactly `events` since the last `expect`, or one was lost */
  async verify(events: number): Promise<void> {
    for (const { clients, least, most, lost } of await this.counts()) {
      if (lost.length > 0) throw new Error(`${lost.length} clients were lost: ${lost[0]}`)
      if (clients > 0 && (least !== events || most !== events)) {
        throw new Error(`of ${events} events published, clients have between ${least} and ${most}`)
      }
    }
  }

  async #end(): Promise<void> {
    await Promise.race([
      this.server.call('stop', undefined).catch(() => {}),
      new Promise((resolve) => setTimeout(resolve, 500).unref()),
    ])
    await Promise.all([this.server.end(), ...this.#workers.map((worker) => worker.end())])
  }
}

/** What serves outside of the server process, which only publishes to it, leaves that with the load; several processes are not pinned. */
function roleOf(peer: PeerName): Role | undefined {
  if (peer === 'sluice-cluster') return undefined
  return peer === 'nchan' ? 'load' : 'server'
}

function shared(count: number, parts: number): number[] {
  return Array.from({ length: parts }, (_, index) => Math.floor((count + index) / parts))
}

// What must be as it was when everything is over: connections opened and closed once each, timers, handles, listeners of
// the process, heap after a collection. Taken once something of everything has run, so that what is made once counts
// as there.

import type { Hub } from '../../src/index.ts'
import { collectGarbage } from '../support/gc.ts'
import { pause } from './wait.ts'

/** Timers that the code under test and the scenario hold; `getActiveResourcesInfo` leaves out those that are unref'd. */
const timers = new Set<unknown>()
let counting = false

/** Counts timers from now on. Call before anything that sets some is loaded. */
export function countTimers(): void {
  if (counting) return
  counting = true
  const { setTimeout, setInterval, clearTimeout, clearInterval } = globalThis
  const once = (callback: (...args: unknown[]) => void, ms?: number, ...args: unknown[]): NodeJS.Timeout => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      callback(...args)
    }, ms)
    timers.add(timer)
    return timer
  }
  const every = (callback: (...args: unknown[]) => void, ms?: number, ...args: unknown[]): NodeJS.Timeout => {
    const timer = setInterval(callback, ms, ...args)
    timers.add(timer)
    return timer
  }
  // Both clear either, as the platform's do.
  const clear = (timer: NodeJS.Timeout | undefined): void => {
    timers.delete(timer)
    clearTimeout(timer)
    clearInterval(timer)
  }
  Object.assign(globalThis, {
    // What `promisify` finds on the platform's own.
    setTimeout: Object.assign(once, setTimeout),
    setInterval: Object.assign(every, setInterval),
    clearTimeout: clear,
    clearInterval: clear,
  })
}

export interface Snapshot {
  readonly resources: Readonly<Record<string, number>>
  readonly timers: number
  readonly listeners: number
  readonly heap: number
}

/** Kinds of resources that the platform holds for itself for a while, or that are work and not a handle. */
const PASSING = new Set(['Immediate', 'CloseReq', 'FSReqPromise', 'FSReqCallback', 'TickObject', 'Timeout'])

export async function snapshot(): Promise<Snapshot> {
  await collectGarbage()
  const resources: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) {
    if (!PASSING.has(kind)) resources[kind] = (resources[kind] ?? 0) + 1
  }
  let listeners = 0
  for (const name of process.eventNames()) listeners += process.listenerCount(name)
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return { resources, timers: timers.size, listeners, heap: heapUsed + arrayBuffers }
}

/** What is not back at `before` within `patience`; empty when all is. */
export async function leaks(before: Snapshot, heapAllowance: number, patience = 10_000): Promise<string[]> {
  const end = performance.now() + patience
  for (;;) {
    const left = compare(before, await snapshot(), heapAllowance)
    if (left.length === 0 || performance.now() > end) return left
    await pause(50)
  }
}

function compare(before: Snapshot, now: Snapshot, heapAllowance: number): string[] {
  const left: string[] = []
  for (const [kind, count] of Object.entries(now.resources)) {
    const was = before.resources[kind] ?? 0
    if (count > was) left.push(`${count - was} × ${kind} left open`)
  }
  // The timer of the look itself has fired when this runs.
  if (now.timers > before.timers) left.push(`${now.timers - before.timers} timers left running`)
  if (now.listeners > before.listeners)
    left.push(`${now.listeners - before.listeners} process listeners left`)
  const grown = now.heap - before.heap
  if (grown > heapAllowance) left.push(`${grown} bytes of heap left (${heapAllowance} are allowed)`)
  return left
}

/** Follows a hub from its making: each connection closed once, none unannounced. */
export class Ledger {
  readonly #hub: Hub
  readonly #open = new Set<string>()
  readonly #broken: string[] = []
  opened = 0
  closed = 0

  constructor(hub: Hub) {
    this.#hub = hub
    hub.on('open', ({ id }) => {
      this.opened += 1
      if (this.#open.has(id)) this.#broken.push(`connection ${id} opened twice`)
      this.#open.add(id)
    })
    hub.on('close', ({ id }) => {
      this.closed += 1
      // One that an earlier listener, or the opening write, has closed is announced as closed before it is as open.
      if (!this.#open.delete(id)) this.#broken.push(`connection ${id} closed twice, or was never open`)
    })
  }

  /** What does not add up, once every connection is over. */
  settle(): string[] {
    const { opened, closes, connections, channels } = this.#hub.stats()
    const broken = this.#broken.slice(0, 5)
    const counted = Object.values(closes).reduce((sum, count) => sum + count, 0)
    if (this.opened !== opened) broken.push(`${opened} opened, ${this.opened} announced`)
    if (this.closed !== counted) broken.push(`${counted} closes counted, ${this.closed} announced`)
    if (opened !== counted) broken.push(`${opened} opened, ${counted} closed`)
    if (this.#open.size > 0) broken.push(`${this.#open.size} never closed`)
    if (connections !== 0) broken.push(`the hub still counts ${connections} connections`)
    if (this.#hub.connections().length > 0) broken.push('the hub still lists connections')
    const readers = Object.entries(channels)
    if (readers.length > 0) broken.push(`channels still have readers: ${JSON.stringify(readers.slice(0, 3))}`)
    return broken
  }
}

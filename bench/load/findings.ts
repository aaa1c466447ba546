// What the figures of a run suggest, in plain words, each with its evidence. Nothing is said without enough of it.

import { duration, number } from './format.ts'
import type { Report } from './report.ts'
import type { Pile } from './spread.ts'

const BUSY_SHARE = 0.85
const LATE_LOOP = 50
const SLOW_FIRST_BYTE = 1_000
/** Headers come, and the first byte only this much later: something holds the body back. */
const HELD_BACK = 1_000
/** Silences below this are the traffic's own. */
const LONG_SILENCE = 1_000

export function findings(report: Report): string[] {
  return [
    ...generator(report),
    ...refusals(report),
    ...disconnects(report),
    ...firstByte(report),
    ...ids(report),
    ...clocks(report),
  ]
}

function generator({ generator: { cpuShare, loopDelayP99, processes } }: Report): string[] {
  if (cpuShare < BUSY_SHARE && loopDelayP99 < LATE_LOOP) return []
  return [
    `The load generator itself was busy: ${Math.round(cpuShare * 100)} % of a core in its busiest process, its event loop late by ${duration(loopDelayP99)} at p99. Latency and events/s may be its own limit: try --processes ${processes + 1}, or fewer clients.`,
  ]
}

function refusals({ connects }: Report): string[] {
  const said: string[] = []
  if (connects.gaveUp > 0) {
    said.push(
      `${number(connects.gaveUp)} clients gave up for good, as an EventSource does on any status but 200 and on any content type but text/event-stream.`,
    )
  }
  if (connects.redirectsRefused > 0) {
    said.push(
      `${number(connects.redirectsRefused)} redirects led to another host or in a circle, and were not followed.`,
    )
  }
  if (connects.unansweredAtEnd > 0) {
    said.push(`${number(connects.unansweredAtEnd)} requests had no answer when the run ended.`)
  }
  return said
}

function disconnects({ disconnects: { total, age, silence } }: Report): string[] {
  const idle = silence.pile && silence.pile.from >= LONG_SILENCE ? silence.pile : null
  const old = age.pile
  if (idle && old && Math.min(idle.count, old.count) > 0.8 * Math.max(idle.count, old.count)) {
    return [
      `${pile(old, total)} after ${between(old)}, and after as long a silence (${between(idle)}): an idle timeout or a maximum duration in front. A heartbeat well below that tells them apart.`,
    ]
  }
  if (idle && idle.count >= (old?.count ?? 0)) {
    return [
      `${pile(idle, total)} after a silence of ${between(idle)}: an idle timeout, in the server or in front of it. A heartbeat of half of it cures that.`,
    ]
  }
  if (old) {
    return [
      `${pile(old, total)} at an age of ${between(old)}: a maximum duration, in the server or in front of it.`,
    ]
  }
  return []
}

function pile({ count }: Pile, total: number): string {
  return `${number(count)} of ${number(total)} streams ended`
}

function between({ from, to }: Pile): string {
  const [first, last] = [duration(from), duration(to)]
  return first === last ? `about ${first}` : `${first} to ${last}`
}

function firstByte({ times: { headers, firstByte } }: Report): string[] {
  const { p50 } = firstByte
  if (p50 === null || headers.p50 === null || p50 < SLOW_FIRST_BYTE || p50 - headers.p50 < HELD_BACK)
    return []
  return [
    `The first byte of a stream comes ${duration(p50 - headers.p50)} after its headers (median): the server says nothing at first, or something in front buffers. Write a block at once.`,
  ]
}

function ids({ ids: { duplicates, missedOpen, missedAway, sequential } }: Report): string[] {
  const said: string[] = []
  if (duplicates > 0) said.push(`${number(duplicates)} events came twice, or with ids that go back.`)
  if (missedAway) {
    said.push(
      `${number(missedAway)} events were missed by clients that came back, by what the others saw meanwhile.`,
    )
  }
  if (missedOpen) {
    said.push(`${number(missedOpen)} events were missed on open streams, by what the others saw.`)
  }
  // Private channels, filters and the like: then nothing was lost.
  if ((missedOpen ?? 0) + (missedAway ?? 0) > sequential * 0.05) {
    said.push('If the server does not send the same events to all clients, missed events mean nothing.')
  }
  return said
}

function clocks({ latency: { fromFuture, unstamped }, times, options }: Report): string[] {
  const said: string[] = []
  if (fromFuture > 0) {
    said.push(
      `${number(fromFuture)} events came before they were sent: the two clocks differ, and latency with them.`,
    )
  }
  if (options.timestamp !== null && times.latency.n === 0 && unstamped > 0) {
    said.push(`No event has a time at --timestamp ${options.timestamp}.`)
  }
  return said
}

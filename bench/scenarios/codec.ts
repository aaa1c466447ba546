// codec: how fast events are encoded and decoded, without a network.

import { createParser } from 'eventsource-parser'
import { createDecoder, encode } from '../../src/event-stream.ts'
import type { Metrics } from '../result.ts'
import { type Case, interleaved, type Scenario } from './scenario.ts'

const CHUNK = 65_536
const STREAM_BYTES = 4_194_304

export const codec: Scenario = {
  name: 'codec',
  summary: 'encode and decode throughput',
  method:
    'In this process, after a warm-up. encode: an event with id, name and data to bytes ("write-string" is the template string of a plain loop, turned to a Buffer). decode: a stream of 4 MB in chunks of 64 KB to events; eventsource-parser takes text, so its TextDecoder is counted with it.',
  options: {
    size: { value: 'BYTES,…', default: '64,150,1024,16384', help: 'data of an event' },
    rounds: { value: 'N', default: '5', help: 'how often each' },
    seconds: { value: 'N', default: '0.5', help: 'how long each' },
  },
  async run(options) {
    const seconds = options.number('seconds')
    const cases = options.numbers('size').flatMap((size) => codecCases(size, seconds))
    return { runs: await interleaved('codec', options.number('rounds'), cases) }
  },
}

export function codecCases(size: number, seconds: number): Case[] {
  const data = 'x'.repeat(size)
  const event = { id: 'abcdef-1234567', event: 'tick', data }
  const bytes = encode(event)
  const chunks = streamOf(bytes)
  const perStream = Math.floor(STREAM_BYTES / bytes.length)
  const encodes = (peer: string, work: () => Uint8Array): Case => ({
    peer,
    params: { op: 'encode', bytes: size },
    measure: async () => {
      let length = 0
      const metrics = timed(seconds, 1_000, bytes.length, () => {
        for (let n = 0; n < 1_000; n += 1) length = work().length
      })
      if (length === 0) throw new Error('nothing was encoded')
      return metrics
    },
  })
  const decodes = (peer: string, work: () => number): Case => ({
    peer,
    params: { op: 'decode', bytes: size },
    measure: async () => {
      let seen = perStream
      const metrics = timed(seconds, perStream, bytes.length, () => {
        seen = Math.min(seen, work())
      })
      if (seen !== perStream) throw new Error(`decoded ${seen} of ${perStream} events`)
      return metrics
    },
  })
  return [
    encodes('sluice', () => encode(event)),
    encodes('write-string', () =>
      Buffer.from(`id: ${event.id}\nevent: ${event.event}\ndata: ${event.data}\n\n`),
    ),
    decodes('sluice', () => {
      let events = 0
      const decoder = createDecoder(() => {
        events += 1
      })
      for (const chunk of chunks) decoder.write(chunk)
      decoder.end()
      return events
    }),
    decodes('eventsource-parser', () => {
      let events = 0
      const parser = createParser({
        onEvent() {
          events += 1
        },
      })
      const text = new TextDecoder()
      for (const chunk of chunks) parser.feed(text.decode(chunk, { stream: true }))
      return events
    }),
  ]
}

function timed(seconds: number, events: number, bytes: number, work: () => void): Metrics {
  const run = (duration: number): number => {
    const start = performance.now()
    let times = 0
    do {
      work()
      times += 1
    } while (performance.now() - start < duration * 1_000)
    return (times * events) / ((performance.now() - start) / 1_000)
  }
  run(seconds / 4)
  const eventsPerSecond = run(seconds)
  return { eventsPerSecond, megabytesPerSecond: (eventsPerSecond * bytes) / 1e6 }
}

function streamOf(event: Uint8Array): Uint8Array[] {
  const count = Math.floor(STREAM_BYTES / event.length)
  const whole = Buffer.concat(Array.from({ length: count }, () => event))
  const chunks: Uint8Array[] = []
  for (let at = 0; at < whole.length; at += CHUNK) chunks.push(whole.subarray(at, at + CHUNK))
  return chunks
}

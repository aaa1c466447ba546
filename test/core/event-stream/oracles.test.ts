// Two decoders by other hands judge ours: eventsource-parser, and undici's EventSource over a real connection. They
// agree but for the deviations named below, each of which is theirs. A test of a deviation that fails means that it
// has been mended: then take its exception out of the property above it.

import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { createParser } from 'eventsource-parser'
import fc from 'fast-check'
import { EventSource } from 'undici'
import { createDecoder, type DecodedEvent } from '../../../src/core/event-stream/decode.ts'
import { encode } from '../../../src/core/event-stream/encode.ts'
import { anyCuts, anyText, fieldSoup, lineText, splits } from '../../support/event-streams.ts'
import { listen } from '../../support/server.ts'

const encoder = new TextEncoder()

interface Heard {
  events: DecodedEvent[]
  comments: string[]
  retries: number[]
}

function ours(parts: readonly Uint8Array[]): Heard {
  const heard: Heard = { events: [], comments: [], retries: [] }
  const decoder = createDecoder((event) => heard.events.push(event), {
    onComment: (text) => heard.comments.push(text),
    onRetry: (ms) => heard.retries.push(ms),
  })
  for (const part of parts) decoder.write(part)
  decoder.end()
  return heard
}

function message(data: string, lastEventId = ''): DecodedEvent {
  return { event: 'message', data, lastEventId }
}

/** Events as encode writes them, each with data. */
const encoded = fc
  .array(
    fc.record(
      {
        event: lineText,
        data: anyText,
        id: lineText.map((text) =>
          text
            .replace(/\p{Cc}/gu, '')
            .slice(0, 40)
            .trim(),
        ),
        retry: fc.nat(),
        comment: anyText,
      },
      { requiredKeys: ['data'] },
    ),
    { maxLength: 5 },
  )
  .map((events) => Buffer.concat(events.map((event) => encode(event))))

describe('eventsource-parser', () => {
  /** What it hears; the last event ID is kept here as its documentation says, from events that have an id. */
  function theirs(parts: readonly Uint8Array[]): Heard {
    const heard: Heard = { events: [], comments: [], retries: [] }
    // The byte order mark is taken off here: the decoders of some Node lines take off two, where pieces are small.
    const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
    let begun = false
    let lastEventId = ''
    const parser = createParser({
      onEvent({ event = 'message', data, id }) {
        lastEventId = id ?? lastEventId
        heard.events.push({ event, data, lastEventId })
      },
      onComment: (text) => heard.comments.push(text),
      onRetry: (ms) => heard.retries.push(ms),
    })
    for (const part of parts) {
      const text = utf8.decode(part, { stream: true })
      parser.feed(begun ? text : text.replace(/^\ufeff/, ''))
      begun ||= text !== ''
    }
    return heard
  }

  function both(stream: string): [Heard, Heard] {
    const parts = [encoder.encode(stream)]
    return [ours(parts), theirs(parts)]
  }

  test('agrees on all that encode writes, ids included', () => {
    fc.assert(
      fc.property(encoded, anyCuts, (bytes, cuts) => {
        const parts = splits(bytes, cuts)
        assert.deepEqual(theirs(parts), ours(parts))
      }),
      { numRuns: 1000 },
    )
  })

  test('agrees on arbitrary streams, but for the ids of blocks that fire nothing', () => {
    const withoutIds = ({ events, ...rest }: Heard) => ({
      ...rest,
      events: events.map(({ event, data }) => ({ event, data })),
    })
    fc.assert(
      fc.property(fieldSoup, anyCuts, (soup, cuts) => {
        // One comment more, so that the stream does not end in CR. See the deviations.
        const bytes = Uint8Array.from([...soup, ...encoder.encode(':\n')])
        fc.pre(!new TextDecoder().decode(bytes).startsWith('ï»¿'))
        const parts = splits(bytes, cuts)
        assert.deepEqual(withoutIds(theirs(parts)), withoutIds(ours(parts)))
      }),
      { numRuns: 2000, examples: [[Uint8Array.from([239, 187, 191, 239, 187, 191]), [1684096327]]] },
    )
  })

  test('deviates: it waits for what follows a CR at the end, and so loses the last event', () => {
    const [our, their] = both('data: a\r\rdata: b\r\r')
    assert.deepEqual(our.events, [message('a'), message('b')])
    assert.deepEqual(their.events, [message('a')])
  })

  test('deviates: the id of a block without data is lost', () => {
    const [our, their] = both('id: 1\n\ndata: a\n\n')
    assert.deepEqual(our.events, [message('a', '1')])
    assert.deepEqual(their.events, [message('a')])
  })

  test('deviates: it takes three characters for a BOM that only look like its bytes', () => {
    const [our, their] = both('ï»¿data: a\n\n')
    assert.deepEqual(our.events, [])
    assert.deepEqual(their.events, [message('a')])
  })

  test('deviates: a BOM that its caller has not taken off stays', () => {
    const events: unknown[] = []
    createParser({ onEvent: (event) => events.push(event) }).feed('\uFEFFdata: a\n\n')
    assert.deepEqual(events, [])
    assert.deepEqual(both('\uFEFFdata: a\n\n')[0].events, [message('a')])
  })

  test('deviates: a retry beyond the safe integers is no number that a timer can take', () => {
    const [our, their] = both(`retry: ${'9'.repeat(400)}\n\n`)
    assert.deepEqual(our.retries, [Number.MAX_SAFE_INTEGER])
    assert.deepEqual(their.retries, [Infinity])
  })
})

describe('undici’s EventSource', () => {
  /** The end of each test's stream: an event that nothing else in these tests is called. */
  const END = encoder.encode('\n\nevent: sluice-end\ndata: end\n\n')
  const PATIENCE = 10_000

  /** What each path sends: the parts of the first connection's body, of the second's, and so on. */
  const bodies = new Map<string, Uint8Array[][]>()
  /** The `Last-Event-ID` of each connection to a path, as the bytes that came. */
  const lastEventIds = new Map<string, (string | undefined)[]>()
  let server: Server
  let origin: string

  before(async () => {
    server = createServer(({ url: path = '', headers }, res) => {
      const given = headers['last-event-id']
      const seen = lastEventIds.get(path) ?? []
      const parts = bodies.get(path)?.[seen.length] ?? []
      lastEventIds.set(path, [...seen, given === undefined ? undefined : String(given)])
      res.writeHead(200, { 'content-type': 'text/event-stream' })
      // Chunked: each write is a chunk of its own, and undici hands each chunk to its parser by itself.
      for (const part of parts) if (part.length > 0) res.write(part)
      res.end()
    })
    origin = `http://127.0.0.1:${await listen(server)}`
  })

  after(() => {
    server.closeAllConnections()
    server.close()
  })

  class Recorder extends EventSource {
    readonly events: DecodedEvent[] = []
    failures = 0

    /** Sees events of every name, which listeners cannot. */
    override dispatchEvent(event: Event): boolean {
      if (event instanceof MessageEvent || 'lastEventId' in event) {
        const { type, data, lastEventId } = event as MessageEvent<string>
        this.events.push({ event: type, data, lastEventId })
      } else if (event.type === 'error') this.failures += 1
      return super.dispatchEvent(event as never)
    }
  }

  interface Listened {
    events: DecodedEvent[]
    lastEventIds: (string | undefined)[]
    elapsed: number
  }

  /** Listens until END has come, over as many connections as that takes, or until `enough` says so. */
  async function listenTo(
    connections: Uint8Array[][],
    enough: (source: Recorder, connections: number) => boolean = () => false,
  ): Promise<Listened> {
    const path = `/${bodies.size}`
    bodies.set(path, connections)
    const start = performance.now()
    const source = new Recorder(origin + path, { node: { reconnectionTime: 20 } })
    try {
      for (;;) {
        const last = source.events.at(-1)
        const seen = lastEventIds.get(path) ?? []
        if (last?.event === 'sluice-end' || enough(source, seen.length)) {
          const events = source.events.filter(({ event }) => event !== 'sluice-end')
          return { events, lastEventIds: seen, elapsed: performance.now() - start }
        }
        if (performance.now() - start > PATIENCE) throw new Error(`the end has not come to ${path}`)
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
    } finally {
      source.close()
    }
  }

  async function theirs(parts: Uint8Array[]): Promise<DecodedEvent[]> {
    return (await listenTo([[...parts, END]])).events
  }

  test('agrees on all that encode writes', async () => {
    await fc.assert(
      fc.asyncProperty(encoded, anyCuts, async (bytes, cuts) => {
        const parts = splits(bytes, cuts)
        assert.deepEqual(await theirs(parts), ours(parts).events)
      }),
      { numRuns: 150 },
    )
  })

  test('agrees on arbitrary streams, but for event fields that are empty', async () => {
    /** Makes an unknown field of each empty event field; latin1 keeps every byte as it is. */
    const withoutEmptyNames = (soup: Uint8Array) =>
      Buffer.from(
        Buffer.from(soup)
          .toString('latin1')
          .replace(/(^|[\r\n])event(?=(: ?)?([\r\n]|$))/g, '$1x'),
        'latin1',
      )
    await fc.assert(
      fc.asyncProperty(fieldSoup, anyCuts, async (soup, cuts) => {
        const bytes = withoutEmptyNames(soup)
        const parts = splits(bytes, cuts)
        assert.deepEqual(await theirs(parts), ours([...parts, END]).events.slice(0, -1))
      }),
      { numRuns: 250 },
    )
  })

  test('agrees that an incomplete event is discarded, with its id, when the connection ends', async () => {
    const first = encoder.encode('id: 1\ndata: a\n\nid: 2\ndata: b\n')
    const { events, lastEventIds } = await listenTo([[first], [END]])
    assert.deepEqual(events, ours([first]).events)
    assert.deepEqual(lastEventIds, [undefined, '1'])
  })

  test('agrees on the reconnection time of a complete block', async () => {
    const first = encoder.encode('retry: 300\n\n')
    assert.ok((await listenTo([[first], [END]])).elapsed >= 290)
    assert.deepEqual(ours([first]).retries, [300])
  })

  test('deviates: an empty event field does not take back the name before it', async () => {
    const parts = [encoder.encode('event: tick\nevent:\ndata: a\n\n')]
    assert.deepEqual(ours(parts).events, [message('a')])
    assert.deepEqual(await theirs(parts), [{ event: 'tick', data: 'a', lastEventId: '' }])
  })

  test('deviates: the retry of a block that never ends is lost', async () => {
    const first = encoder.encode('retry: 60000\n')
    assert.deepEqual(ours([first]).retries, [60_000])
    assert.ok((await listenTo([[first], [END]])).elapsed < 5000)
  })

  test('deviates: an event of more than 131,072 data lines closes it for good', async () => {
    const lines = (count: number) => [encoder.encode(`${'data\n'.repeat(count)}\n`)]
    assert.equal((await theirs(lines(131_072)))[0]?.data.length, 131_071)
    const tooMany = lines(131_073)
    assert.equal(ours(tooMany).events[0]?.data.length, 131_072)
    const { events } = await listenTo([[...tooMany, END]], (source) => source.readyState === source.CLOSED)
    assert.deepEqual(events, [])
  })

  // What it does with the last event ID when it reconnects: not decoding, but a server that picks ids must know.

  test('deviates: an id of Latin-1 comes back as Latin-1, not as UTF-8', async () => {
    const { events, lastEventIds } = await listenTo([[encode({ id: 'é', data: 'a' })], [END]])
    assert.deepEqual(events, [message('a', 'é')])
    assert.deepEqual(lastEventIds, [undefined, 'é'], 'Node gives a header as Latin-1')
  })

  test('deviates: with an id beyond Latin-1 it cannot reconnect at all', async () => {
    let failures = 0
    const { events, lastEventIds } = await listenTo([[encode({ id: '漢', data: 'a' })], [END]], (source) => {
      failures = source.failures
      return failures > 3
    })
    assert.deepEqual(events, [message('a', '漢')])
    assert.deepEqual(lastEventIds, [undefined])
  })

  test('deviates: after a reset it goes on sending the id from before', async () => {
    const { lastEventIds } = await listenTo([[encode({ id: '1' })], [encode({ id: '' })], [END]])
    assert.deepEqual(lastEventIds, [undefined, '1', '1'])
  })
})

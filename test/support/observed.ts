// Observations for rules to judge: of a healthy stream, with what a test wants otherwise.

import type {
  BlockSeen,
  EndKind,
  Exchange,
  Observations,
  ResponseSeen,
  StreamSeen,
} from '../../src/doctor/observations.ts'

export function aBlock(at: number, more: Partial<BlockSeen> = {}): BlockSeen {
  return {
    begunAt: at,
    at,
    bytes: 20,
    fired: true,
    heartbeat: false,
    event: 'message',
    id: undefined,
    stamp: undefined,
    ...more,
  }
}

export function aBody(blocks: readonly BlockSeen[] = [], more: Partial<StreamSeen> = {}): StreamSeen {
  const first = blocks[0]?.begunAt
  const bytes = blocks.reduce((sum, block) => sum + block.bytes, 0)
  return {
    wireBytes: bytes,
    bytes,
    firstWireByteAt: first,
    lastWireByteAt: blocks.at(-1)?.at,
    firstByteAt: first,
    beginning: '',
    blockCount: blocks.length,
    blocks,
    events: blocks.filter(({ fired }) => fired).length,
    retries: [],
    lineEnds: { lf: 2, crlf: 0, cr: 0 },
    bom: false,
    nulIds: 0,
    unknownFields: [],
    unknownFieldCount: 0,
    datalessEvents: 0,
    badUtf8: false,
    unfinishedBytes: 0,
    stopped: undefined,
    ...more,
  }
}

export function aResponse(
  headers: Record<string, string> = {},
  more: Partial<ResponseSeen> = {},
): ResponseSeen {
  return {
    at: 10,
    status: 200,
    httpVersion: '1.1',
    headers: {
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-store, no-transform',
      ...headers,
    },
    framing: 'chunked',
    maxConcurrentStreams: undefined,
    ...more,
  }
}

export function anExchange(more: Partial<Exchange> = {}): Exchange {
  return {
    url: 'http://a.example/',
    connectedAt: 2,
    sentAt: 3,
    failure: undefined,
    response: aResponse(),
    body: aBody([aBlock(12, { id: '1' })]),
    end: undefined,
    watchedUntil: 6_000,
    certificate: undefined,
    ...more,
  }
}

export function anEnd(how: EndKind, at: number): Pick<Exchange, 'end' | 'watchedUntil'> {
  return { end: { at, how, code: undefined }, watchedUntil: at }
}

export function observed(main: Partial<Exchange> = {}, more: Partial<Observations> = {}): Observations {
  return {
    url: 'http://a.example/',
    secure: false,
    wait: 6_000,
    sentLastEventId: undefined,
    credentials: false,
    origin: undefined,
    insecure: false,
    http1: false,
    redirects: [],
    main: anExchange(main),
    interrupted: false,
    ...more,
  }
}

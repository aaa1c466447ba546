// The clients of the bus scenario: each checks its own sequence, and comes back with its last event ID when its node dies.

import { get } from 'node:http'
import { createDecoder } from '../../src/event-stream.ts'
import { seeded } from '../../test/support/seeded.ts'

interface Settings {
  count: number
  ports: number[]
  seed: number
}

const state = {
  open: 0,
  received: 0,
  doubled: 0,
  lost: 0,
  gaps: 0,
  reconnects: 0,
  behind: 0,
  latencies: [] as number[],
}
let settings: Settings = { count: 0, ports: [], seed: 1 }
let random = seeded(1)
const lasts: number[] = []

/** Milliseconds of a clock that all processes of this machine share, and that never jumps. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6

function run(client: number, lastEventId: string): void {
  const port = settings.ports[Math.floor(random() * settings.ports.length)]
  const headers = lastEventId === '' ? {} : { 'last-event-id': lastEventId }
  let latest = lastEventId
  let over = false
  let counted = false
  const again = (): void => {
    if (over) return
    over = true
    if (counted) state.open -= 1
    state.reconnects += 1
    setTimeout(() => run(client, latest), 50 + random() * 450)
  }
  const request = get({
    port,
    host: '127.0.0.1',
    agent: false,
    headers: { ...headers, accept: 'text/event-stream' },
  })
  request.on('error', again)
  request.on('response', (response) => {
    counted = true
    state.open += 1
    const decoder = createDecoder(({ event, data }) => {
      if (event === 'gap') {
        state.gaps += 1
        return
      }
      const at = data.indexOf(' ')
      const n = Number(data.slice(0, at))
      const last = lasts[client] ?? 0
      if (n <= last) state.doubled += 1
      else if (last > 0 && n !== last + 1) state.lost += n - last - 1
      lasts[client] = Math.max(last, n)
      state.received += 1
      // One in a few is enough for the percentiles.
      if (state.received % 7 === 0)
        state.latencies.push(now() - Number(data.slice(at + 1, data.indexOf(' ', at + 1))))
    })
    response.on('data', (bytes: Buffer) => {
      decoder.write(bytes)
      latest = decoder.lastEventId
    })
    response.on('error', again)
    response.on('close', again)
  })
}

process.on('message', (message: { do: string } & Settings) => {
  if (message.do === 'open') {
    settings = message
    random = seeded(message.seed)
    for (let client = 0; client < message.count; client += 1) {
      lasts.push(0)
      // Not all in one moment: this is not what is measured.
      setTimeout(() => run(client, ''), client)
    }
  } else if (message.do === 'ports') settings = { ...settings, ports: message.ports }
  else {
    const least = Math.min(...lasts)
    process.send?.({ ...state, least, most: Math.max(...lasts), latencies: state.latencies.splice(0) })
  }
})
process.on('disconnect', () => process.exit(0))

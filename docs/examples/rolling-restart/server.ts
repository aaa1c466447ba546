// One of several equal processes behind a proxy: node server.ts --port 9001 --feed FILE. Restart them one after the other;
// a client that stays loses no event, for it resumes at another process by the ids of the feed.

import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { createHub } from 'sluice'
import { closeOnSignals } from './close-on-signals.ts'
import { Feed } from './feed.ts'

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '9001' },
    feed: { type: 'string' },
    within: { type: 'string', default: '5000' },
    'reconnect-over': { type: 'string', default: '2000' },
  },
})
if (values.feed === undefined) throw new Error('--feed FILE is missing: the file whose lines are published')

const hub = createHub({ proxyIdleTimeout: 60_000, retry: 1_000 })
// How far a client may have been away: the newest 10,000 lines.
const feed = new Feed(values.feed, hub.channel('lines', { maxEvents: 10_000, maxBytes: 8_388_608 }))

const server = createServer(async (req, res) => {
  if (req.url !== '/events') {
    res.writeHead(404).end()
    return
  }
  // `connect` sees by itself whether the client has left meanwhile.
  await feed.catchUp()
  hub.connect(req, res, { channels: ['lines'], cors: true })
})

closeOnSignals(server, hub, {
  within: Number(values.within),
  reconnectOver: Number(values['reconnect-over']),
  closing() {
    clearInterval(following)
  },
  closed(counts, signal) {
    console.log(`${signal}: ${counts.ended} ended, ${counts.destroyed} cut`)
  },
})

// The history first: a client that comes from another process must find its place here.
await feed.catchUp()
const following = setInterval(() => {
  feed.catchUp().catch((error: unknown) => console.error(error))
}, 20)
server.listen(Number(values.port), '127.0.0.1', () => {
  console.log(`ready on http://127.0.0.1:${values.port}/events`)
})

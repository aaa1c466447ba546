// One of several equal processes: node node.ts --name a --port 9001 --redis 6379. Redis holds the log that they share, so it does
// not matter which of them a page is served by, before and after one is killed.

import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import { createHub } from 'sluice'
import { redisBus } from 'sluice/bus/redis'
import { closeOnSignals } from '../rolling-restart/close-on-signals.ts'

interface Channels {
  /** What the visitors publish, and a number each second. */
  feed: { note: { text: string; node: string } }
  /** How each node is, once a second. */
  nodes: { figures: { node: string; pid: number; connections: number; delivered: number; bus: string } }
}

const { values } = parseArgs({
  options: {
    name: { type: 'string', default: 'a' },
    port: { type: 'string', default: '9001' },
    redis: { type: 'string', default: '6379' },
    key: { type: 'string', default: 'sluice-nodes' },
  },
})
const node = values.name
const client = new Redis({ host: '127.0.0.1', port: Number(values.redis) })
client.on('error', (error) => console.error(`${node}: ${error.message}`))

const hub = createHub<Channels>({ bus: redisBus({ client, key: values.key }), retry: 500 })
await hub.ready()

const server = createServer(async (req, res) => {
  const url = new URL(req.url ?? '/', 'http://node')
  if (req.method === 'GET' && url.pathname === '/events') {
    const connection = hub.connect(req, res, { channels: ['feed', 'nodes'] })
    // To this page alone, and without an id: it is about this stream, not of the log.
    connection.send({ event: 'node', data: { node, pid: process.pid } })
    return
  }
  if (req.method === 'POST' && url.pathname === '/publish') {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString().slice(0, 1_000)
    try {
      const id = await hub.publish('feed', { event: 'note', data: { text, node } })
      res.writeHead(200, { 'Content-Type': 'text/plain' }).end(id)
    } catch {
      res.writeHead(503, { 'Retry-After': '1' }).end('the bus does not answer')
    }
    return
  }
  if (req.method === 'POST' && url.pathname === '/die') {
    // As a crash does, in the midst of whatever it is doing.
    process.kill(process.pid, 'SIGKILL')
    return
  }
  if (req.method === 'GET' && url.pathname === '/') {
    res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store' })
    res.end(await readFile(new URL('page.html', import.meta.url)))
    return
  }
  res.writeHead(404).end()
})

const telling = setInterval(() => {
  const { connections, delivered, bus } = hub.stats()
  const figures = { node, pid: process.pid, connections, delivered, bus: bus?.state ?? 'none' }
  // A failure is on the console already; the next second brings the next figures.
  hub.publish('nodes', { event: 'figures', data: figures, key: node }).catch(() => {})
}, 1_000)

closeOnSignals(server, hub, {
  closing: () => clearInterval(telling),
  closed: () => client.disconnect(),
})
server.listen(Number(values.port), '127.0.0.1', () => console.log(`${node} is ready`))

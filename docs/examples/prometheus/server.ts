// A stream and its figures: node server.ts, then http://127.0.0.1:8080/events and http://127.0.0.1:8080/metrics.

import { createServer } from 'node:http'
import { Registry } from 'prom-client'
import { createHub } from 'sluice'
import { observe } from './metrics.ts'

const hub = createHub({ limits: { connections: 10_000, connectionsPerKey: 100, loopDelay: 200 } })
const registry = new Registry()
observe(hub, registry)

const server = createServer(async (req, res) => {
  if (req.url === '/events') {
    hub.connect(req, res, { channels: ['clock'], label: req.headers['user-agent'] })
  } else if (req.url === '/metrics') {
    res.writeHead(200, { 'Content-Type': registry.contentType }).end(await registry.metrics())
  } else if (req.url === '/slow') {
    // Which client is slow? The ten that lag most.
    const slow = hub.connections().sort((a, b) => b.lag.bytes - a.lag.bytes)
    res.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(slow.slice(0, 10)))
  } else {
    res.writeHead(404).end()
  }
})

setInterval(() => {
  void hub.publish('clock', { event: 'tick', data: new Date() })
}, 1_000)

server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => {
  const address = server.address()
  console.log(`ready on http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/metrics`)
})

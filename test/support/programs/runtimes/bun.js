import { handle, OPTIONS } from './handler.js'
import { createHub } from './sluice/web.js'

const hub = createHub(OPTIONS)
const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  // Bun's default of 10 s would cut streams that are silent for longer: 0, or a heartbeat below it.
  idleTimeout: 0,
  fetch: (request, server) => handle(hub, request, server.requestIP(request)?.address),
})
console.log(`listening ${server.port}`)

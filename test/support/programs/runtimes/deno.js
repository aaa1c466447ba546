import { handle, OPTIONS } from './handler.js'
import { createHub } from './sluice/web.js'

const hub = createHub(OPTIONS)
Deno.serve(
  { port: 0, hostname: '127.0.0.1', onListen: ({ port }) => console.log(`listening ${port}`) },
  (request, info) => handle(hub, request, info.remoteAddr.hostname),
)

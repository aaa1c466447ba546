import { serve } from '@hono/node-server'
import { handle, OPTIONS } from './handler.js'
import { createHub } from './sluice/web.js'

const hub = createHub(OPTIONS)
const server = serve(
  { fetch: (request) => handle(hub, request), port: 0, hostname: '127.0.0.1' },
  ({ port }) => console.log(`listening ${port}`),
)
process.on('SIGTERM', () => server.close())

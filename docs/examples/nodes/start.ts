// nginx in front of three processes, with Redis behind them: npm run start:nodes, then open the address it says. A node that dies is
// started again after a few seconds. Needs redis-server and nginx on this machine; Ctrl-C ends all of them.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '8080' },
    'restart-after': { type: 'string', default: '4000' },
  },
})
const NAMES = ['a', 'b', 'c']
const NODE = fileURLToPath(new URL('node.ts', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'sluice-nodes-'))
const children = new Set<ChildProcess>()
let ending = false

function run(command: string, args: string[], whenEnded: () => void): ChildProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  children.add(child)
  child.once('error', (error) => {
    console.error(
      `${command} cannot be started (${error.message}); on Debian: apt-get install redis-server nginx`,
    )
    end(1)
  })
  child.once('exit', () => {
    children.delete(child)
    if (!ending) whenEnded()
  })
  return child
}

function end(code: number): void {
  if (ending) return
  ending = true
  for (const child of children) child.kill('SIGTERM')
  // What does not go by itself is not waited for.
  setTimeout(() => {
    for (const child of children) child.kill('SIGKILL')
  }, 3_000).unref()
  process.exitCode = code
}
process.once('SIGINT', () => end(0))
process.once('SIGTERM', () => end(0))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address ? address.port : 0
}

async function accepting(port: number): Promise<void> {
  for (let tries = 0; tries < 200 && !ending; tries += 1) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true))
      socket.once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (open) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const redis = await freePort()
run(
  'redis-server',
  ['--port', String(redis), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder],
  () => end(1),
)
await accepting(redis)

const ports = await Promise.all(NAMES.map(freePort))
function startNode(index: number): void {
  const args = [
    '--import',
    'tsx',
    NODE,
    '--name',
    NAMES[index] ?? '',
    '--port',
    String(ports[index]),
    '--redis',
    String(redis),
  ]
  run(process.execPath, args, () => {
    console.log(`${NAMES[index]} is gone`)
    setTimeout(() => {
      if (!ending) startNode(index)
    }, Number(values['restart-after']))
  })
}
for (const index of NAMES.keys()) startNode(index)
await Promise.all(ports.map(accepting))

writeFileSync(
  join(folder, 'nginx.conf'),
  `daemon off;
pid ${folder}/nginx.pid;
error_log stderr error;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  upstream nodes {
    ${ports.map((port) => `server 127.0.0.1:${port} max_fails=0;`).join('\n    ')}
  }
  server {
    listen 127.0.0.1:${values.port};
    # To one node, not to any.
    ${ports.map((port, n) => `location = /die/${NAMES[n]} { proxy_pass http://127.0.0.1:${port}/die; }`).join('\n    ')}
    location / {
      proxy_pass http://nodes;
      # One that does not listen is passed over; one that has answered is never asked again.
      proxy_next_upstream error timeout;
      # Heartbeats keep streams below this; nginx's default is the same.
      proxy_read_timeout 60s;
    }
  }
}
`,
)
run('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], () => end(1))
await accepting(Number(values.port))
if (!ending) console.log(`ready: http://127.0.0.1:${values.port}/`)

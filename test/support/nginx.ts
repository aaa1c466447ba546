// Real nginx in front of a server, with its own defaults but for what a test asks.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { findProgram } from './need.ts'
import { listen } from './server.ts'

export const nginx = findProgram('nginx')

export interface Proxy {
  port: number
  start(): Promise<void>
  /** As a crash does: master and workers at once, without a word to anybody. */
  kill(): Promise<void>
}

export async function nginxProxy(
  t: Pick<TestContext, 'after'>,
  /** One port, or several equal servers. */
  upstream: number | readonly number[],
  directives: string,
  /** Directives of the http block; FOLDER is where it keeps its files. */
  http = '',
): Promise<Proxy> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-nginx-'))
  const port = await freePort()
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
pid ${folder}/pid;
error_log ${folder}/error.log;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  upstream servers {
    ${[upstream]
      .flat()
      .map((one) => `server 127.0.0.1:${one} max_fails=0;`)
      .join('\n    ')}
  }
  ${http.replaceAll('FOLDER', folder)}
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://servers;
      ${directives}
    }
  }
}
`,
  )
  let child: ChildProcess | undefined
  const proxy: Proxy = {
    port,
    async start() {
      // A group of its own, so that a kill takes the workers along.
      child = spawn(nginx as string, ['-p', folder, '-c', join(folder, 'nginx.conf')], {
        detached: true,
        stdio: 'ignore',
      })
      await accepts(port)
    },
    async kill() {
      const running = child
      child = undefined
      if (running?.pid === undefined || running.exitCode !== null) return
      const exited = new Promise((resolve) => running.once('exit', resolve))
      process.kill(-running.pid, 'SIGKILL')
      await exited
    },
  }
  t.after(async () => {
    await proxy.kill()
    rmSync(folder, { recursive: true, force: true })
  })
  await proxy.start()
  return proxy
}

export async function freePort(): Promise<number> {
  const server = createServer()
  const port = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Settles when something accepts connections there; fails after ten seconds. */
export async function accepts(port: number): Promise<void> {
  const end = performance.now() + 10_000
  for (;;) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (open) return
    if (performance.now() > end) throw new Error(`nothing accepts connections on port ${port}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

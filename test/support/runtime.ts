// Starts the server of test/support/programs/runtimes in a runtime, on a free port, and ends it with its test.

import { spawn } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { built, graph } from './built.ts'
import { listen } from './server.ts'

export type Runtime = 'bun' | 'deno' | 'workerd' | 'node'

const BIN = fileURLToPath(new URL('../runtimes/node_modules/.bin', import.meta.url))

/** The runtime's program, if it is installed. */
export function findRuntime(runtime: Runtime): string | undefined {
  if (runtime === 'node') return process.execPath
  const program = join(BIN, runtime)
  return existsSync(program) ? program : undefined
}

export async function startRuntime(t: Pick<TestContext, 'after'>, runtime: Runtime): Promise<string> {
  const program = findRuntime(runtime)
  if (!program) throw new Error(`${runtime} is not installed`)
  const cwd = built()
  const port = runtime === 'workerd' ? await freePort() : 0
  if (port > 0) writeFileSync(join(cwd, 'config.capnp'), workerdConfig(cwd, port))
  const args = {
    bun: ['bun.js'],
    deno: ['run', '--allow-net', '--no-config', 'deno.js'],
    node: ['node.js'],
    workerd: ['serve', 'config.capnp'],
  }[runtime]
  const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stderr.on('data', (bytes: Buffer) => {
    said += bytes
  })
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await exited
  })
  const listening = new Promise<number>((resolve, reject) => {
    child.stdout.on('data', (bytes: Buffer) => {
      said += bytes
      const match = /listening (\d+)/.exec(said)
      if (match) resolve(Number(match[1]))
    })
    child.once('exit', (code) => reject(new Error(`${runtime} ended with ${code}: ${said}`)))
    setTimeout(() => reject(new Error(`${runtime} did not listen: ${said}`)), 20_000).unref()
  })
  const url = (one: number): string => `http://127.0.0.1:${one}`
  if (runtime !== 'workerd') return url(await listening)
  // It says nothing when it is ready.
  await Promise.race([answered(`${url(port)}/`), listening])
  return url(port)
}

async function answered(url: string): Promise<void> {
  const end = performance.now() + 20_000
  while (performance.now() < end) {
    const answer = await fetch(url).catch(() => undefined)
    if (answer) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`gave up waiting for ${url}`)
}

async function freePort(): Promise<number> {
  const server = createServer()
  const port = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}

function workerdConfig(folder: string, port: number): string {
  const modules = graph(folder, 'worker.js').files.sort(
    (a, b) => Number(b === 'worker.js') - Number(a === 'worker.js'),
  )
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .hub)],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const hub :Workerd.Worker = (
  modules = [${modules.map((name) => `(name = "${name}", esModule = embed "${name}")`).join(', ')}],
  compatibilityDate = "2026-11-01",
  durableObjectNamespaces = [(className = "HubObject", uniqueKey = "hub")],
  durableObjectStorage = (inMemory = void),
  bindings = [(name = "HUB", durableObjectNamespace = "HubObject")],
);
`
}

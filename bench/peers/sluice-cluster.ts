// Sluice in several processes that share one port by node:cluster, each with a hub of its own that is told what is
// published. The processes' CPU time is counted together, the primary's with it.

import cluster, { type Worker } from 'node:cluster'
import { fileURLToPath } from 'node:url'
import type { Peer, PeerOptions } from './peer.ts'

export async function start({ workers: count = 2 }: PeerOptions): Promise<Peer> {
  cluster.setupPrimary({ exec: fileURLToPath(new URL('./sluice-cluster-worker.ts', import.meta.url)) })
  const workers: Worker[] = []
  for (let n = 0; n < count; n += 1) {
    workers.push(cluster.fork())
  }
  // They share it: a free port is chosen once.
  const [{ port } = { port: 0 }] = await Promise.all(workers.map((worker) => said<{ port: number }>(worker)))
  let cpu = 0
  let written: Promise<unknown> = Promise.resolve()
  return {
    port,
    publish(events) {
      written = Promise.all(
        workers.map(async (worker) => {
          worker.send(events)
          return await said<{ cpu: number }>(worker)
        }),
      ).then((answers) => {
        cpu = answers.reduce((sum, answer) => sum + answer.cpu, 0)
      })
    },
    async settled() {
      await written
    },
    cpuMicros() {
      const { user, system } = process.cpuUsage()
      return cpu + user + system
    },
    close() {
      for (const worker of workers) worker.process.kill('SIGKILL')
    },
  }
}

function said<T>(worker: Worker): Promise<T> {
  return new Promise((resolve, reject) => {
    const gone = (code: number | null): void => reject(new Error(`a process of the cluster ended (${code})`))
    worker.once('exit', gone)
    worker.once('message', (message) => {
      worker.off('exit', gone)
      resolve(message as T) // the worker module sends nothing else
    })
  })
}

// librdkafka's mock cluster, run by kcat: one broker that speaks the real protocol and keeps some megabytes in memory.

import { type ChildProcess, spawn } from 'node:child_process'
import { connect } from 'node:net'
import kafkajs from 'kafkajs'
import { within } from './fetch-client.ts'
import { freeze } from './freeze.ts'
import { findProgram } from './need.ts'

export const kcat = findProgram('kcat', 'kafkacat')

export interface KafkaServer {
  /** Another broker in place of this one: another cluster, with nothing in it. */
  replace(): Promise<void>
  kill(): Promise<void>
  /** Stops it in the midst of whatever it does, until `thaw`. */
  freeze(): Promise<void>
  thaw(): void
  client(): kafkajs.Kafka
}

export async function kafka(t: { after(end: () => Promise<void>): void }): Promise<KafkaServer> {
  let child: ChildProcess | undefined
  let port = 0
  async function start() {
    const args = ['-b', 'x:1', '-X', 'test.mock.num.brokers=1', '-d', 'mock', '-C', '-t', 'nothing', '-q']
    const started = spawn(kcat as string, args, { stdio: ['ignore', 'ignore', 'pipe'] }) // asked with need()
    child = started
    port = await within(
      new Promise<number>((resolve, reject) => {
        let said = ''
        started.once('exit', () => reject(new Error(`kcat left: ${said}`)))
        started.stderr.setEncoding('utf8').on('data', (text: string) => {
          said = (said + text).slice(0, 10_000)
          const found = /bootstrap\.servers=127\.0\.0\.1:(\d+)/.exec(said)
          if (found) resolve(Number(found[1]))
        })
      }),
      'the mock cluster to name its port',
    )
  }
  const server: KafkaServer = {
    async replace() {
      await server.kill()
      await start()
    },
    async kill() {
      const running = child
      child = undefined
      if (!running || running.exitCode !== null || running.signalCode !== null) return
      const exited = new Promise((resolve) => running.once('exit', resolve))
      running.kill('SIGKILL')
      await exited
    },
    async freeze() {
      if (child?.pid !== undefined) await freeze(child.pid)
    },
    thaw: () => void child?.kill('SIGCONT'),
    client: () =>
      new kafkajs.Kafka({
        brokers: [`127.0.0.1:${port}`],
        logLevel: kafkajs.logLevel.NOTHING,
        connectionTimeout: 1_000,
        requestTimeout: 3_000,
        // A broker chooses its port anew; a client finds it wherever it is, as behind one name.
        socketFactory: ({ onConnect }) => connect({ host: '127.0.0.1', port }, onConnect),
      }),
  }
  t.after(() => server.kill())
  await start()
  return server
}

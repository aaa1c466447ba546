// Network namespaces of a test's own: Linux, and root.

import { execFileSync } from 'node:child_process'
import { findProgram } from './need.ts'

export function canMakeNamespaces(): boolean {
  const ip = findProgram('ip')
  if (!ip || process.platform !== 'linux') return false
  const name = `sluice-probe-${process.pid}`
  try {
    execFileSync(ip, ['netns', 'add', name], { stdio: 'ignore' })
    execFileSync(ip, ['netns', 'del', name], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

let links = 0

/** Two ends of a cable: one here, one in a namespace of its own. */
export class Link {
  readonly name: string
  /** The address of the end here. */
  readonly here: string
  /** The address of the end in the namespace. */
  readonly address: string
  readonly #here: string
  readonly #there: string
  readonly #ip: string

  /** @throws when `canMakeNamespaces` is false */
  constructor() {
    const ip = findProgram('ip')
    if (!ip) throw new Error('there is no program ip on this machine')
    this.#ip = ip
    links += 1
    this.name = `sluice-${process.pid}-${links}`
    this.#here = `s${process.pid}${links}a`.slice(-15)
    this.#there = `s${process.pid}${links}b`.slice(-15)
    // A corner of the range for benchmarks (RFC 2544), so that it meets no network of this machine.
    const net = `198.18.${(process.pid + links) % 250}`
    this.here = `${net}.1`
    this.address = `${net}.2`
    this.#run('netns', 'add', this.name)
    this.#run('link', 'add', this.#here, 'type', 'veth', 'peer', 'name', this.#there, 'netns', this.name)
    this.#run('addr', 'add', `${this.here}/24`, 'dev', this.#here)
    this.#run('link', 'set', this.#here, 'up')
    this.#run('-n', this.name, 'addr', 'add', `${this.address}/24`, 'dev', this.#there)
    this.#run('-n', this.name, 'link', 'set', this.#there, 'up')
    this.#run('-n', this.name, 'link', 'set', 'lo', 'up')
  }

  /** The command that runs `command` at the far end. */
  inside(...command: string[]): [string, string[]] {
    return [this.#ip, ['netns', 'exec', this.name, ...command]]
  }

  /** Small buffers at the far end, so that a reader that has stopped is felt soon. */
  smallBuffers(): void {
    for (const setting of ['tcp_rmem', 'tcp_wmem']) {
      execFileSync(...this.inside('sysctl', '-qw', `net.ipv4.${setting}=4096 16384 32768`))
    }
  }

  /** Pulls the plug at the far end: this side keeps its link and its route, and hears nothing. */
  cutFar(): void {
    this.#run('-n', this.name, 'link', 'set', this.#there, 'down')
  }

  /** Pulls the plug at this end: the far end keeps its link and its route, and hears nothing. */
  cut(): void {
    this.#run('link', 'set', this.#here, 'down')
  }

  /** Puts a queueing discipline on what leaves either end, as `tc qdisc … root` takes it. @throws when the kernel has none of that kind. */
  shape(...qdisc: string[]): void {
    const rule = (device: string): string[] => ['qdisc', 'replace', 'dev', device, 'root', ...qdisc]
    execFileSync(this.#tc, rule(this.#here), { stdio: 'pipe' })
    execFileSync(this.#tc, ['-n', this.name, ...rule(this.#there)], { stdio: 'pipe' })
  }

  /** Packets that the far end's queueing discipline has dropped. */
  dropped(): number {
    const text = execFileSync(this.#tc, ['-n', this.name, '-s', 'qdisc', 'show', 'dev', this.#there])
    return Number(/dropped (\d+)/.exec(text.toString())?.[1])
  }

  remove(): void {
    this.#run('netns', 'del', this.name)
  }

  get #tc(): string {
    const tc = findProgram('tc')
    if (!tc) throw new Error('there is no program tc on this machine')
    return tc
  }

  #run(...args: string[]): void {
    execFileSync(this.#ip, args, { stdio: 'pipe' })
  }
}

// The JetStream stream that holds the log: found or made, checked, and asked how far it has come and in which life it is.

import { SluiceError, shown } from '../core/errors.ts'
import { type Abortable, bounded, pause } from './bounded.ts'
import { epochOf } from './epoch.ts'
import type { NatsManager, NatsStreamConfig, NatsStreamInfo } from './nats-client.ts'

/** JetStream's number for "stream not found", and for "name already in use with a different configuration". */
const NOT_FOUND = 10_059
const IN_USE = 10_058

/** A stream that seems to have gone back is asked so many times more, this far apart: a leader that has just been voted out answers with old figures. */
const DOUBTS = 2
const DOUBT_PAUSE = 250

/** In the stream's description, where every process reads it: the life that began when acknowledged entries were lost. */
const LIFE = / ?\[sluice life ([0-9a-z]+)\]/

export interface StreamState {
  readonly epoch: string
  /** The oldest position held, or the one after the newest when nothing is held. */
  readonly first: number
  readonly head: number
  /** How large an entry is on average, in bytes; 0 when nothing is held. */
  readonly mean: number
}

export interface NatsStreamOptions {
  readonly manager: () => Promise<NatsManager>
  /** What to make when there is no such stream; `undefined`: refuse. */
  readonly create: NatsStreamConfig | undefined
  readonly name: string
  readonly republish: { readonly src: string; readonly dest: string }
  readonly timeout: number
  /** Aborted while the connection is gone: no answer comes over it any more. */
  readonly link: () => Abortable
  /** Told each time the stream turns out to be in another life than before. */
  readonly onEpoch: (epoch: string) => void
}

export class NatsStream {
  readonly #options: NatsStreamOptions
  #epoch = ''
  /** The highest position that this process knows to have been given out in this life. */
  #highest = 0
  readonly #what: string
  /** Settles when the question under way does, whatever the answer. */
  #running: Promise<void> = Promise.resolve()
  /** The question that comes after it: who asks now shares it. */
  #waiting: Promise<StreamState> | undefined

  constructor(options: NatsStreamOptions) {
    this.#options = options
    this.#what = `Asking NATS for the stream ${shown(options.name)}`
  }

  /** A position that the server has given out. */
  saw(position: number): void {
    if (position > this.#highest) this.#highest = position
  }

  /**
   * Asks the server, once at a time, so that no older answer is learnt after a newer one. Makes the stream if it is
   * missing and may be made; rejects with `SLUICE_BAD_OPTION` when it is missing and may not, or is of a kind that
   * cannot be a bus.
   */
  state(signal?: AbortSignal): Promise<StreamState> {
    if (!this.#waiting) {
      const waiting = this.#running.then(() => {
        this.#waiting = undefined
        return this.#ask()
      })
      this.#waiting = waiting
      this.#running = waiting.then(nothing, nothing)
    }
    // One question under way, and the own one.
    return bounded(this.#waiting, this.#what, 2 * this.#options.timeout, signal, this.#options.link())
  }

  async #ask(): Promise<StreamState> {
    const floor = this.#highest
    let info = await this.#info()
    for (let doubts = 0; this.#wentBack(info, floor); doubts++) {
      if (doubts === DOUBTS) {
        info = await this.#beginLife(info)
        break
      }
      await pause(DOUBT_PAUSE)
      info = await this.#info()
    }
    return this.#learn(info)
  }

  async #info(): Promise<NatsStreamInfo> {
    const { name, create, republish } = this.#options
    const { streams } = await this.#options.manager()
    const ask = <T>(work: Promise<T>) =>
      bounded(work, this.#what, this.#options.timeout, this.#options.link())
    let info: NatsStreamInfo
    try {
      info = await ask(streams.info(name))
    } catch (error) {
      if (codeOf(error) !== NOT_FOUND) throw error
      if (!create) {
        throw new SluiceError(
          'SLUICE_BAD_OPTION',
          `natsBus: there is no stream ${shown(name)}, and create is false; make the stream, or leave create away.`,
          { cause: error },
        )
      }
      info = await ask(
        streams.add(create).catch((refusal: unknown) => {
          // Another process, with other bounds, was faster.
          if (codeOf(refusal) === IN_USE) return streams.info(name)
          throw refusal
        }),
      )
    }
    checkStream(name, info.config, republish)
    return info
  }

  /** A crash of the machine can take acknowledged entries along; the stream then gives their positions out again. */
  #wentBack(info: NatsStreamInfo, floor: number): boolean {
    return identityOf(info) === this.#epoch && info.state.last_seq < floor
  }

  /** Writes into the stream that a new life has begun, so that processes that start later know it, too. */
  async #beginLife(info: NatsStreamInfo): Promise<NatsStreamInfo> {
    const { streams } = await this.#options.manager()
    const description = (info.config.description ?? '').replace(LIFE, '')
    const life = Math.floor(Math.random() * 36 ** 8).toString(36)
    return bounded(
      streams.update(this.#options.name, { description: `${description} [sluice life ${life}]`.trimStart() }),
      `Writing a new life into the stream ${shown(this.#options.name)}`,
      this.#options.timeout,
      this.#options.link(),
    )
  }

  #learn(info: NatsStreamInfo): StreamState {
    const { messages, bytes, first_seq: first, last_seq: head } = info.state
    const epoch = identityOf(info)
    if (epoch !== this.#epoch) {
      const known = this.#epoch !== ''
      this.#epoch = epoch
      this.#highest = head
      if (known) this.#options.onEpoch(epoch)
    }
    this.saw(head)
    return {
      epoch,
      first: messages === 0 ? head + 1 : first,
      head,
      mean: messages === 0 ? 0 : bytes / messages,
    }
  }
}

/** The life of a stream: when it was made, to the nanosecond, and the life begun since, if any. */
function identityOf({ created, config }: NatsStreamInfo): string {
  const digits = /\.(\d+)/.exec(created)?.[1] ?? ''
  const seconds = Math.floor(Date.parse(created) / 1000)
  const life = LIFE.exec(config.description ?? '')?.[1] ?? ''
  return epochOf(`nats ${config.storage} ${seconds}.${digits.padEnd(9, '0')} ${life}`)
}

/** What would make a stream lose, hide or reorder entries without a word. */
function checkStream(
  name: string,
  config: NatsStreamInfo['config'],
  { src, dest }: { readonly src: string; readonly dest: string },
): void {
  const found = config.republish
  const rules: [boolean, string][] = [
    [
      found?.src === src && found.dest === dest && found.headers_only !== true,
      `republish must be { src: ${shown(src)}, dest: ${shown(dest)} }, with bodies`,
    ],
    [
      config.subjects?.length === 1 && config.subjects[0] === src,
      `subjects must be [${shown(src)}] alone: what else is stored would be entries of channels that nobody published to`,
    ],
    [config.no_ack !== true, 'no_ack must be false, or no publish is ever acknowledged'],
    [config.retention === 'limits', `retention must be 'limits'`],
    [config.discard === 'old', `discard must be 'old'`],
    [
      (config.max_msgs_per_subject ?? -1) <= 0,
      'max_msgs_per_subject must be -1, or entries vanish from the midst of the log',
    ],
    [
      config.storage === 'file' || config.num_replicas > 1,
      `storage must be 'file' where there is one replica, or a restart gives positions out again`,
    ],
  ]
  const broken = rules.filter(([kept]) => !kept).map(([, rule]) => rule)
  if (broken.length > 0) {
    throw new SluiceError(
      'SLUICE_BAD_OPTION',
      `natsBus: the stream ${shown(name)} cannot be a bus: ${broken.join('; ')}.`,
    )
  }
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}

function nothing(): void {}

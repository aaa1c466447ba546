// A client over a real socket: opens a stream, decodes it, and lets a test wait for what it expects, never for ever.

import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { request as secureRequest } from 'node:https'
import { createDecoder, type DecodedEvent } from '../../src/event-stream.ts'

const PATIENCE = 10_000

export interface ClientOptions {
  headers?: Record<string, string | string[]>
  method?: string
  /** Does not read the body until `resume()`. */
  paused?: boolean
  localAddress?: string
  rejectUnauthorized?: boolean
}

export class Client {
  readonly events: DecodedEvent[] = []
  readonly comments: string[] = []
  text = ''
  retry: number | undefined
  closed = false
  readonly request: ClientRequest
  readonly response: IncomingMessage
  /** The last event ID as a browser would send it. */
  lastEventId = ''
  #waiting: { done: () => boolean; resolve: () => void }[] = []

  private constructor(req: ClientRequest, response: IncomingMessage, paused: boolean) {
    this.request = req
    this.response = response
    const decoder = createDecoder((event) => this.events.push(event), {
      onRetry: (ms) => {
        this.retry = ms
      },
      onComment: (text) => this.comments.push(text),
    })
    const listen = (): void => {
      response.on('data', (bytes: Buffer) => {
        this.text += bytes.toString('latin1')
        decoder.write(bytes)
        this.lastEventId = decoder.lastEventId
        this.#look()
      })
    }
    if (!paused) listen()
    else this.resume = listen
    response.on('error', () => {})
    response.on('close', () => {
      this.closed = true
      this.#look()
    })
  }

  resume = (): void => {}

  static open(url: string, options: ClientOptions = {}): Promise<Client> {
    const { paused = false, ...rest } = options
    return new Promise((resolve, reject) => {
      const start = url.startsWith('https:') ? secureRequest : request
      const req = start(url, { agent: false, ...rest })
      req.on('response', (response) => resolve(new Client(req, response, paused)))
      req.on('error', reject)
      req.end()
    })
  }

  get status(): number {
    return this.response.statusCode ?? 0
  }

  get headers(): IncomingHttpHeaders {
    return this.response.headers
  }

  get data(): string[] {
    return this.events.map(({ data }) => data)
  }

  /** Settles when `done` holds; looked at after each piece that arrives. */
  until(done: () => boolean, what = done.toString()): Promise<void> {
    if (done()) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(
          new Error(
            `gave up after ${PATIENCE} ms waiting for ${what}; got ${JSON.stringify(this.text.slice(-500))}`,
          ),
        )
      }, PATIENCE)
      this.#waiting.push({
        done,
        resolve: () => {
          clearTimeout(timer)
          resolve()
        },
      })
    })
  }

  async count(events: number): Promise<DecodedEvent[]> {
    await this.until(() => this.events.length >= events, `${events} events (have ${this.events.length})`)
    return this.events
  }

  ended(): Promise<void> {
    return this.until(() => this.closed, 'the end of the stream')
  }

  /** Leaves without a word. */
  drop(): void {
    this.request.destroy()
  }

  #look(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const one of waiting) {
      if (one.done()) one.resolve()
      else this.#waiting.push(one)
    }
  }
}

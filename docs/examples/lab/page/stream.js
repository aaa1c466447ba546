// @ts-check
// The page's one connection: the browser's own EventSource, and what can be known about it from outside. A page cannot
// read response headers, so how a resume went is worked out from what arrives: everything before `hello` was replayed,
// gap events say what is lost, and the running number of the figures proves the rest.

/**
 * @typedef {object} Hello what the server tells this connection alone
 * @property {string} connection
 * @property {string} token
 * @property {string} lastEventId
 * @property {number} retry
 * @property {number} stallTimeout
 * @property {string} node
 * @property {number} pid
 * @property {number} cpus
 * @property {string} platform
 * @property {{ file: string, state: string } | null} follow
 *
 * @typedef {{ reason: 'epoch' | 'evicted' | 'unknown', channel: string, requested: string | null, oldest: string | null, newest: string | null }} Gap
 *
 * @typedef {object} Resume how the last connecting went
 * @property {'none' | 'full' | 'gap'} outcome `none`: it had nothing to resume from
 * @property {number} replayed events
 * @property {Gap[]} gaps
 *
 * @typedef {'connecting' | 'open' | 'reconnecting' | 'closed'} Phase
 *
 * @typedef {object} StreamEvent
 * @property {string} name
 * @property {string} data
 * @property {string} id
 * @property {boolean} replayed
 *
 * @typedef {object} StreamListener
 * @property {(event: StreamEvent) => void} onEvent for every event except `hello` and `gap`
 * @property {(gap: Gap, id: string) => void} onGap for every gap, as it is told; those of a resume come with `onHello` again
 * @property {(hello: Hello, resume: Resume) => void} onHello
 * @property {() => void} onChange the state, or the last event ID, has changed
 */

/** What the lab sends; the names that visitors make up are announced by `name` events. */
const NAMES = [
  'message',
  'figures',
  'hello',
  'gap',
  'end',
  'line',
  'follow',
  'note',
  'name',
  'closes',
  'crowd',
  'health',
  'trial',
]

export class Stream {
  /** @type {Phase} */
  phase = 'connecting'
  lastEventId = ''
  reconnects = 0
  /** The connection was greeted: what comes now is live, not replayed. */
  live = false
  /** When the browser will try again, on performance.now(). */
  retryAt = 0
  /** @type {Hello | undefined} */
  hello
  /** @type {Resume | undefined} */
  resume

  /** @type {EventSource | undefined} */
  #source
  /** @type {string} */
  #url
  /** @type {StreamListener} */
  #listener
  /** @type {Set<string>} */
  #names = new Set(NAMES)
  /** @type {Gap[]} */
  #gaps = []
  #replayed = 0

  /**
   * @param {string} url
   * @param {StreamListener} listener
   */
  constructor(url, listener) {
    this.#url = url
    this.#listener = listener
  }

  /** Connects; after the browser has given up, from where it was. */
  connect() {
    this.#source?.close()
    const from = this.lastEventId && `&last-event-id=${encodeURIComponent(this.lastEventId)}`
    const source = new EventSource(this.#url + from)
    this.#source = source
    this.#setPhase('connecting')
    for (const name of this.#names) this.#listen(source, name)
    // A visitor's event may be called `open` or `error`, too; it is a message then.
    source.addEventListener('open', (event) => {
      if (event instanceof MessageEvent) this.#take(event)
      else this.#opened()
    })
    source.addEventListener('error', (event) => {
      if (event instanceof MessageEvent) this.#take(event)
      else this.#failed(source)
    })
  }

  /**
   * @param {EventSource} source
   * @param {string} name
   */
  #listen(source, name) {
    source.addEventListener(name, (event) => this.#take(event))
  }

  #opened() {
    this.live = false
    this.#gaps = []
    this.#replayed = 0
    this.#setPhase('open')
  }

  /** @param {EventSource} source */
  #failed(source) {
    if (source.readyState === EventSource.CLOSED) return this.#setPhase('closed')
    if (this.phase === 'open') this.reconnects += 1
    // Browsers wait for the reconnection time that they were told before each attempt.
    this.retryAt = performance.now() + (this.hello?.retry ?? 0)
    this.#setPhase(this.hello ? 'reconnecting' : 'connecting')
  }

  /** @param {MessageEvent<string>} event */
  #take({ type: name, data, lastEventId: id }) {
    this.lastEventId = id
    if (name === 'hello') this.#greeted(JSON.parse(data))
    else if (name === 'gap') this.#lost(JSON.parse(data), id)
    else {
      if (name === 'name') this.#learn(data)
      if (!this.live) this.#replayed += 1
      this.#listener.onEvent({ name, data, id, replayed: !this.live })
    }
    this.#listener.onChange()
  }

  /**
   * @param {Gap} gap
   * @param {string} id
   */
  #lost(gap, id) {
    if (!this.live) this.#gaps.push(gap)
    this.#listener.onGap(gap, id)
  }

  /** @param {string} name */
  #learn(name) {
    if (this.#names.has(name) || name === 'open' || name === 'error') return
    this.#names.add(name)
    if (this.#source) this.#listen(this.#source, name)
  }

  /** @param {Hello} hello */
  #greeted(hello) {
    this.live = true
    const gaps = this.#gaps
    const outcome = hello.lastEventId === '' ? 'none' : gaps.length > 0 ? 'gap' : 'full'
    this.hello = hello
    this.resume = { outcome, gaps, replayed: this.#replayed }
    this.#listener.onHello(hello, this.resume)
  }

  /** @param {Phase} phase */
  #setPhase(phase) {
    this.phase = phase
    this.#listener.onChange()
  }
}

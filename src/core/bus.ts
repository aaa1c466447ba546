// What a hub asks of an engine that several processes share: one totally ordered log. The engine has these verbs and
// nothing more; what a hub makes of them (going live, repair, gaps, breakers) is written once, above it.

/**
 * A place in the shared log: a safe integer above 0, strictly increasing from entry to entry and never used twice within
 * an epoch. Not necessarily dense. It is the hub's own sequence, so that ids, logs and cursors need no second kind.
 */
export type Position = number

/** What one publish put into the shared log. */
export interface Entry {
  readonly position: Position
  /**
   * The position of the entry that the engine holds or held directly before this one, 0 for the very first: who has not
   * seen that one has missed something. `undefined` where the engine cannot tell.
   */
  readonly previous: Position | undefined
  readonly channel: string
  readonly body: Uint8Array
}

/** A page of the shared log. */
export interface Page {
  readonly entries: readonly Entry[]
  /** The position of the newest entry that the engine has ever taken in this epoch, 0 before the first. */
  readonly head: Position
  /** The epoch that these positions belong to. */
  readonly epoch: string
  /** Some entry after the position that was asked for is no longer held: there is a hole before the first of `entries`. */
  readonly lost?: 'trimmed'
}

/** What a tail tells. Nothing is told after `close` has been called. What a listener throws is a defect of the hub, not of the bus. */
export interface TailListener {
  /** One entry, in the order of positions. After a reconnect entries may come again, or be missing: the hub repairs. */
  entry(entry: Entry): void
  /** The feed is established, for the first time or again: from now on every entry appended comes, if nothing breaks. */
  up(state: { readonly epoch: string; readonly head: Position }): void
  /** The feed is broken; the bus goes on trying by itself and calls `up` when it has succeeded. */
  down(cause?: unknown): void
}

export interface AppendOptions {
  /** Names this publish: an engine that sees the same name twice (a resent command) keeps one entry and answers its position. */
  readonly dedupe?: string
  /** When aborted, the promise rejects; whether the entry was stored is then unknown, and the same `dedupe` may be tried again. */
  readonly signal?: AbortSignal
}

/**
 * One totally ordered log for many processes.
 *
 * An implementation **must** assign positions in one order that every process sees; **must not** reuse a position within an
 * epoch, and **must** change the epoch when positions may start again or history was lost; **must** bound what it buffers;
 * **must** never wait for ever in `append` and `read` once their signal is aborted; **must** settle `tail` once the feed is
 * established and then call `up` before any `entry`. It closes only what it opened or duplicated itself: the client belongs to the application.
 */
export interface Bus {
  /** What it is, for messages and statistics: `'redis'`, `'nats'` … */
  readonly name: string
  append(channel: string, body: Uint8Array, options?: AppendOptions): Promise<Position>
  /** Entries after `after` (0: from the oldest held), oldest first, at most `limit` of them; fewer when bytes are many. Empty at the end. */
  read(after: Position, limit: number, options?: { readonly signal?: AbortSignal }): Promise<Page>
  /**
   * Calls the listener with every entry appended from now on.
   * Rejects when the feed cannot be established at first; `close` ends it, also while it is being established again.
   */
  tail(listener: TailListener): Promise<{ close(): Promise<void> }>
  close(): Promise<void>
}

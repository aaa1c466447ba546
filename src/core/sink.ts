// What a connection writes to, and what it hears back. The core knows no transport beyond this page.

/** Why a sink closed without having been asked to. `dead`: the kernel gave the peer up. */
export type SinkFailure = 'client' | 'dead' | 'error'

/** The half of a connection that its sink may call. */
export interface SinkOwner {
  /** The transport has taken the last write whole; the next may come. */
  taken(): void
  /** The transport is gone: called once, whatever ended it, and after it nothing else is called. */
  sinkClosed(failure: SinkFailure): void
}

/**
 * A way out for bytes.
 *
 * An implementation **must** call `owner.taken()` once for each write, after `write` has returned, unless it closes
 * first; **must** call `owner.sinkClosed()` exactly once; **must** bear any call after it has closed. It **may** keep
 * the bytes it was given until they are taken, and **must not** change them: they are shared by every connection.
 * The connection **must not** write again before `taken`, nor after `end`.
 */
export interface Sink {
  /** Names who will be told. Called once, before anything is written. */
  attach(owner: SinkOwner): void
  write(bytes: Uint8Array): void
  /** Ends the stream after what was written. */
  end(): void
  /** Gives the transport up at once; what was not sent is lost. */
  destroy(): void
}

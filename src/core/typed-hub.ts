// A hub as applications see it, whatever its door: with the channels that they have declared. Types only.

import type { ChannelOptions } from './channel.ts'
import type { PublicConnection } from './connection.ts'
import type { Hub, HubEvents } from './hub.ts'
import type { AnyChannels, ChannelName, EventsIn, TypedChannel, TypedEvent } from './typed.ts'

/** A connection that reads these channels. */
export type TypedConnection<Channels extends object = AnyChannels> = Omit<
  PublicConnection,
  'subscribe' | 'unsubscribe'
> & {
  subscribe(channel: ChannelName<Channels>): void
  unsubscribe(channel: ChannelName<Channels>): void
}

/** What every door's hub has in common. */
export interface TypedCore<Channels extends object = AnyChannels>
  extends Pick<Hub, 'position' | 'ready' | 'stats' | 'connections' | 'diagnose' | 'close'> {
  /**
   * Publishes an event to every reader of `channel`. Settles with its id once the log has it; when so much was
   * published in one turn of the event loop that the log would run over, once caught-up readers were written to.
   *
   * Ignoring the promise is safe: a failure also reaches `on('error')` and is never an unhandled rejection.
   *
   * @throws {SluiceError} (as rejection) SLUICE_BAD_CHANNEL, SLUICE_CHANNEL_ENDED, SLUICE_HUB_CLOSED,
   *   SLUICE_RESERVED_ID, and those of an event that cannot be encoded.
   */
  publish<Name extends ChannelName<Channels>>(
    channel: Name,
    event: TypedEvent<EventsIn<Channels, Name>>,
  ): ReturnType<Hub['publish']>
  /**
   * A handle on a channel; the channel exists as soon as somebody publishes or connects to it, options or not.
   * Options given here change the channel's from now on. Keep the handle and publish through it where they must last:
   * a channel that nobody reads and that holds nothing is dropped after its `maxAge`, and made anew with the defaults
   * unless a handle knows better.
   *
   * @throws {SluiceError} SLUICE_BAD_CHANNEL, SLUICE_BAD_OPTION
   */
  channel<Name extends ChannelName<Channels>>(
    name: Name,
    options?: ChannelOptions,
  ): TypedChannel<EventsIn<Channels, Name>>
  /** Listens to the hub; the returned function stops it. What a listener throws is contained and reported as `error`. */
  on<Name extends keyof HubEvents>(name: Name, listener: HubEvents[Name]): () => void
}

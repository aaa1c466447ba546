// What an application may say of its channels, for the compiler: which events each has, and what data they carry.
// Types only; at run time a hub knows names.

import type { Channel } from './channel-handle.ts'
import type { EventInput } from './event-stream/encode.ts'
import type { PublishedEvent } from './frame.ts'

/**
 * Channels of which nothing was said: any name, any event. What a hub has whose application declares none.
 */
export interface AnyChannels {
  [channel: string]: AnyEvents
}

/** Events of which nothing was said. */
export interface AnyEvents {
  [event: string]: unknown
}

/**
 * The names of channels: literals, and patterns such as `` `user:${string}` ``. Any, where none is declared, which is also what
 * `ReturnType<typeof createHub>` has.
 */
export type ChannelName<Channels> = [keyof Channels] extends [never] ? string : keyof Channels & string

/** The events of one channel. */
export type EventsIn<Channels, Name> = Name extends keyof Channels ? Channels[Name] : AnyEvents

/**
 * The data of every event of these channels by its name, for a client that reads them: `connect<EventsOf<Channels, 'prices'>>(url,
 * { parse: 'json' })`. What JSON changes on the way (a `Date` arrives as a string) is not followed.
 */
export type EventsOf<Channels, Name extends ChannelName<Channels> = ChannelName<Channels>> = {
  [Event in EventName<EventsIn<Channels, Name>>]: DataOf<EventsIn<Channels, Name>, Event>
}

type EventName<Events> = Events extends unknown ? keyof Events & string : never
type DataOf<Events, Event> = Events extends unknown
  ? Event extends keyof Events
    ? Events[Event]
    : never
  : never

/** Fields that every event may have. */
type Plain = Omit<EventInput, 'event' | 'data'>

/**
 * What may be published to a channel with these `Events` (data by event name; `message` is the event without a name): one
 * of them with its data, or nothing but an id, a comment or a reconnection time.
 */
export type TypedEvent<Events> = string extends keyof Events
  ? EventInput
  :
      | {
          [Name in keyof Events & string]: Plain &
            (Name extends 'message' ? { event?: 'message' | '' | undefined } : { event: Name }) & {
              data: Events[Name]
            }
        }[keyof Events & string]
      | (Plain & { event?: undefined; data?: undefined })

/** An event as filters and variants see it, by channel and name. */
export type TypedPublished<Channels> =
  string extends ChannelName<Channels>
    ? PublishedEvent
    : {
        [Name in ChannelName<Channels>]: {
          [Event in keyof EventsIn<Channels, Name> & string]: Omit<
            PublishedEvent,
            'channel' | 'event' | 'data'
          > & {
            readonly channel: Name
            readonly event: Event
            readonly data: EventsIn<Channels, Name>[Event]
          }
        }[keyof EventsIn<Channels, Name> & string]
      }[ChannelName<Channels>]

/** A channel's handle that takes these `Events`. */
export type TypedChannel<Events = AnyEvents> = Omit<Channel, 'publish' | 'end'> & {
  publish(event: TypedEvent<Events>): ReturnType<Channel['publish']>
  /** The final event may be one of the channel's, or any: `end` by default. */
  end(event?: TypedEvent<Events> | EventInput): ReturnType<Channel['end']>
}

// What the compiler must say of declared channels. Never run: `tsc` reads it with everything else, and a line that should be
// refused and is not fails there, as an unused expectation.

import { type Connection, createHub, type EventsOf, type Hub } from 'sluice'
import { connect } from 'sluice/client'
import { createHub as createWebHub } from 'sluice/web'

interface Channels {
  prices: { tick: { btc: number }; halt: string }
  chat: { message: { from: string; text: string } }
  [user: `user:${string}`]: { note: string }
}

declare const req: Parameters<Hub['connect']>[0]
declare const res: Parameters<Hub['connect']>[1]
declare const request: Request
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const yes = <_T extends true>(): void => {}

const hub = createHub<Channels>()

// Publishing.
hub.publish('prices', { event: 'tick', data: { btc: 64_000 }, key: 'btc', id: '7' })
hub.publish('prices', { event: 'halt', data: 'now' })
hub.publish('chat', { data: { from: 'a', text: 'b' } })
hub.publish('chat', { event: 'message', data: { from: 'a', text: 'b' } })
hub.publish('user:7', { event: 'note', data: 'hello' })
hub.publish('prices', { comment: 'nothing but a comment' })
// @ts-expect-error no such channel
hub.publish('price', { event: 'tick', data: { btc: 64_000 } })
// @ts-expect-error no such event
hub.publish('prices', { event: 'tock', data: { btc: 64_000 } })
// @ts-expect-error the data of another event
hub.publish('prices', { event: 'halt', data: { btc: 64_000 } })
// @ts-expect-error wrong data
hub.publish('prices', { event: 'tick', data: { btc: '64000' } })
// @ts-expect-error the channel has no event without a name
hub.publish('prices', { data: { btc: 64_000 } })
// @ts-expect-error data is missing
hub.publish('prices', { event: 'tick' })
// @ts-expect-error a pattern's events are checked, too
hub.publish('user:7', { event: 'note', data: 7 })

// Handles.
const prices = hub.channel('prices')
prices.publish({ event: 'tick', data: { btc: 1 } })
prices.end()
prices.end({ event: 'end', data: 'of the day' })
// @ts-expect-error wrong data
prices.publish({ event: 'tick', data: 1 })
// @ts-expect-error no such channel
hub.channel('news')

// Connecting.
const connection = hub.connect(req, res, {
  channels: ['prices', 'user:7'],
  filter: (event) => {
    if (event.channel === 'prices' && event.event === 'tick') return event.data.btc > 0
    return true
  },
})
connection.subscribe('chat')
// @ts-expect-error no such channel
connection.subscribe('news')
// @ts-expect-error no such channel
hub.connect(req, res, { channels: ['news'] })
const web = createWebHub<Channels>()
web.respond(request, { channels: ['prices'] })
// @ts-expect-error no such channel
web.respond(request, { channels: ['news'] })
web.accept(request).connection.unsubscribe('chat')

// Variants see the declared events.
createHub<Channels>({
  variants: {
    v1: (event) => {
      if (event.channel === 'prices' && event.event === 'tick') {
        return { event: 'tick', data: event.data.btc }
      }
      return undefined
    },
  },
})

// Clients.
yes<Equal<EventsOf<Channels, 'prices'>, { tick: { btc: number }; halt: string }>>()
yes<Equal<EventsOf<Channels, 'prices' | 'chat'>['message'], { from: string; text: string }>>()
async function client(): Promise<void> {
  for await (const event of connect<EventsOf<Channels, 'prices' | 'chat'>>('/events', { parse: 'json' })) {
    if (event.event === 'tick') yes<Equal<typeof event.data, { btc: number }>>()
    if (event.event === 'message') yes<Equal<typeof event.data, { from: string; text: string }>>()
    // @ts-expect-error neither channel has it
    if (event.event === 'note') continue
  }
}
void client

// A hub that declares nothing takes everything, also where its options have callbacks.
const plain: Hub = createHub({ variants: { v1: ({ data }) => ({ data }) }, serialize: String })
plain.publish('anything', { event: 'whatever', data: new Date() })
const free: Connection = plain.connect(req, res, { channels: [String(1)], filter: ({ data }) => data !== 1 })
free.subscribe('anything')

// The type of a hub that somebody else makes.
declare const made: ReturnType<typeof createHub>
made.publish('anything', { event: 'whatever', data: 1 })
made.connect(req, res, { channels: ['anything'], filter: ({ data }) => data !== 1 })

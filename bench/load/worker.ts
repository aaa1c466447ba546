// The process that holds a part of the clients. It obeys its parent and leaves with it.

import { Crowd, type Part, type Tick } from './crowd.ts'
import type { FiguresData } from './figures.ts'

export type Order = { do: 'run'; part: Part } | { do: 'stop' }
export type Word = { is: 'ready' } | { is: 'tick'; tick: Tick } | { is: 'done'; figures: FiguresData }

const TICK = 250

let crowd: Crowd | undefined

async function obey(order: Order): Promise<void> {
  if (order.do === 'run') {
    crowd = new Crowd(order.part)
    crowd.start()
    setInterval(() => crowd && say({ is: 'tick', tick: crowd.tick() }), TICK)
  } else if (crowd) {
    const stopping = crowd.stop()
    crowd = undefined // no tick after the last one
    say({ is: 'done', figures: await stopping }, () => process.exit())
  }
}

function say(word: Word, then?: () => void): void {
  if (process.connected) process.send?.(word, undefined, undefined, then)
}

process.on('message', (order) => void obey(order as Order)) // from our own code
process.on('disconnect', () => process.exit())
process.on('error', () => process.exit())
// Ctrl-C reaches the whole group; the parent collects the figures first.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
say({ is: 'ready' })

// The same plain loop, with one Buffer for all clients instead of a string.

import { block, type Peer } from './peer.ts'
import { startPlain } from './write-string.ts'

export const start = (): Promise<Peer> => startPlain((event) => Buffer.from(block(event)))

// On SIGTERM, `next start` closes its server and waits for every response. Without this it would wait for the streams until
// it is killed.

import { shop } from './shop.ts'

export function closeOnSignals(): void {
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.once(signal, () => void shop().hub.close({ within: 5_000, reconnectOver: 10_000 }))
  }
}

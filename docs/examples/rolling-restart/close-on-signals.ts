// Ends a server and its hub in good order when the process is told to go: the deploy, the autoscaler, Ctrl-C.

import type { Server } from 'node:http'
import type { CloseCounts, CloseOptions, Hub } from 'sluice'

export interface CloseOnSignalsOptions extends CloseOptions {
  /** Default SIGTERM and SIGINT. */
  signals?: readonly NodeJS.Signals[]
  /** Called on the signal, before anything is closed: stop what publishes. */
  closing?: (signal: NodeJS.Signals) => void
  /** Called when everything has ended, with how the clients did. */
  closed?: (counts: CloseCounts, signal: NodeJS.Signals) => void
}

/**
 * On the first signal: no new connections, every client gets what is queued for it and a moment to come back at, and the
 * process ends by itself, since nothing is left that would keep it. A second signal ends it at once. Keep `within` below
 * what the process is given (Kubernetes: terminationGracePeriodSeconds, 30 s by default).
 *
 * @returns a function that takes the handlers away again
 */
export function closeOnSignals(
  server: Server,
  hub: Pick<Hub, 'close'>,
  options: CloseOnSignalsOptions = {},
): () => void {
  const { signals = ['SIGTERM', 'SIGINT'], closing: begun, closed, ...rest } = options
  let closing = false
  const close = async (signal: NodeJS.Signals): Promise<void> => {
    if (closing) process.exit(1)
    closing = true
    begun?.(signal)
    // The port is free at once, for the next process or for the proxy to go elsewhere. Requests under way go on.
    server.close()
    const counts = await hub.close(rest)
    // What is left are ordinary keep-alive connections without a request.
    server.closeIdleConnections()
    closed?.(counts, signal)
  }
  for (const signal of signals) process.on(signal, close)
  return () => {
    for (const signal of signals) process.off(signal, close)
  }
}

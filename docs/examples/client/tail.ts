// Follows an event stream on the command line and survives whatever happens to its server: each event as a line of
// JSON on stdout, what becomes of the connection on stderr. Its end is the stream's: a server that says that nothing
// is left to come.
//
//   npx tsx docs/examples/client/tail.ts http://127.0.0.1:8080/events?channels=figures
//   npx tsx docs/examples/client/tail.ts URL --after ID      goes on after the event with that id

import { parseArgs } from 'node:util'
import { connect, SluiceError } from '../../../src/client.ts'

const { values, positionals } = parseArgs({ options: { after: { type: 'string' } }, allowPositionals: true })
const [url] = positionals
if (url === undefined) {
  console.error('usage: tail.ts URL [--after ID]')
  process.exit(2)
}

const controller = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort())

try {
  const events = connect(url, {
    lastEventId: values.after,
    signal: controller.signal,
    onOpen: ({ status, resume }) => console.error(`open (${status}, resume ${resume ?? 'unknown'})`),
    onRetry: ({ attempt, delay, cause }) => {
      console.error(`${cause.message} Attempt ${attempt} in ${delay} ms.`)
    },
  })
  for await (const event of events) {
    if (event.gap) console.error(`GAP in ${event.gap.channel} (${event.gap.reason})`)
    else console.log(JSON.stringify(event))
  }
  console.error('The stream is over.')
} catch (error) {
  // An interruption is no failure.
  if (!controller.signal.aborted) {
    console.error(error instanceof SluiceError ? `${error.code}: ${error.message}` : error)
    process.exitCode = 1
  }
}

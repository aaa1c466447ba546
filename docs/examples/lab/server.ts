// `npm start`: reads the command line, runs the lab, and takes it down in good order.

import { parseArgs } from 'node:util'
import { createLab, type Lab } from './app.ts'

const USAGE = `The lab page of Sluice: this machine's live figures, the lines appended to a file, and what becomes of the
clients that read them.

  npm start -- [options]

  --follow FILE   publish the lines appended to FILE (it may be truncated, rotated, or not exist yet)
  --port PORT     listen on PORT; default $PORT or 8080
  --host HOST     listen on HOST; default 127.0.0.1. Whoever reaches the page can read the followed file and
                  open thousands of connections, so think before you give another
  --help          say this
`

function fail(message: string): never {
  console.error(message)
  process.exit(1)
}

function readArguments(): { port: number; host: string; follow: string | undefined } {
  try {
    const { values } = parseArgs({
      options: {
        follow: { type: 'string' },
        port: { type: 'string', default: process.env.PORT || '8080' },
        host: { type: 'string', default: '127.0.0.1' },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) {
      process.stdout.write(USAGE)
      process.exit(0)
    }
    const { host, follow } = values
    const port = /^\d{1,5}$/.test(values.port) ? Number(values.port) : Number.NaN
    if (!(port <= 65_535)) fail(`--port is "${values.port}"; it must be a number from 0 to 65535.`)
    return { port, host, follow }
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : error}\n\n${USAGE}`)
  }
}

async function start(lab: Lab, port: number, host: string): Promise<string> {
  try {
    return await lab.listen(port, host)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EADDRINUSE') {
      fail(`Port ${port} on ${host} is taken by another program: npm start -- --port ${port + 1}`)
    }
    if (code === 'EACCES') fail(`This user may not listen on port ${port}: npm start -- --port 8080`)
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
      fail(`${host} is no address of this machine: npm start -- --host 127.0.0.1`)
    }
    throw error
  }
}

const { port, host, follow } = readArguments()
const lab = createLab({ follow })
const url = await start(lab, port, host)
console.log(`The lab is open at ${url}${follow === undefined ? '' : ` and follows ${follow}`}`)

let leaving = false
function leave(): void {
  // Asked twice: at once.
  if (leaving) process.exit(1)
  leaving = true
  lab.close().then(() => process.exit(0))
}
process.on('SIGINT', leave)
process.on('SIGTERM', leave)

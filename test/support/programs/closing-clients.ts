// Many clients of the closing server, a tenth of which never read. Tells how each of the others ended.

import { connect } from 'node:net'

const [, , port = '', count = ''] = process.argv
const total = Number(count)
const stalled = total / 10

// A socket that is not read keeps no process.
process.on('message', () => {})

let open = 0
let ended = 0
const retries: number[] = []
let whole = 0

for (let n = 0; n < total; n += 1) {
  const stalls = n < stalled
  const socket = connect(Number(port), '127.0.0.1')
  socket.on('error', () => {})
  socket.write(`GET /${stalls ? 'stalled' : ''} HTTP/1.1\r\nHost: x\r\n\r\n`)
  let text = ''
  socket.once('data', () => {
    open += 1
    if (stalls) socket.pause()
    if (open === total) process.send?.('open')
  })
  if (stalls) continue
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1')
  })
  socket.on('end', () => {
    ended += 1
    const data = [...text.matchAll(/^data: (\d+)$/gm)].map(([, value]) => value)
    if (data.join() === Array.from({ length: 50 }, (_, index) => index + 1).join()) whole += 1
    const retry = /retry: (\d+)\n\n$/.exec(text)?.[1]
    if (retry !== undefined) retries.push(Number(retry))
    if (ended === total - stalled) process.send?.({ whole, retries })
  })
}

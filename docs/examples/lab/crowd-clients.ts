// The crowd: thousands of event stream readers, in a process of their own so that their work does not show in the
// server's figures. Each is a bare TCP socket, since all that a stalled reader does is not to read. It obeys its
// parent and leaves with it.

import { connect, type Socket } from 'node:net'
import type { CrowdCommand, CrowdReport } from './crowd.ts'

/** Connection attempts at one time: a listening socket's backlog holds 511, and more would wait for a SYN to be sent again. */
const MAX_CONNECTING = 64
const REPORT_PERIOD = 200

interface Client {
  socket: Socket
  open: boolean
  stalled: boolean
}

const clients = new Map<number, Client>()
let wanted = 0
let last = 0
let connecting = 0
let failed = 0
let error: string | undefined
let reported = ''

function open(host: string, port: number, path: string): void {
  while (wanted > 0 && connecting < MAX_CONNECTING) {
    wanted -= 1
    connecting += 1
    last += 1
    start(last, host, port, path)
  }
}

function start(number: number, host: string, port: number, path: string): void {
  const socket = connect({ host, port, noDelay: true })
  const client: Client = { socket, open: false, stalled: false }
  clients.set(number, client)
  const settled = (): void => {
    if (client.open) return
    client.open = true
    connecting -= 1
    open(host, port, path)
  }
  socket.on('connect', () => {
    socket.write(`GET ${path}&crowd=${number} HTTP/1.1\r\nHost: ${host}\r\nAccept: text/event-stream\r\n\r\n`)
  })
  // Read, and thrown away: what counts here is that it is taken.
  socket.on('data', settled)
  socket.on('error', (cause: NodeJS.ErrnoException) => {
    if (client.open) return
    failed += 1
    error = cause.code ?? cause.message
  })
  socket.on('close', () => {
    clients.delete(number)
    settled()
  })
}

/** The oldest readers that still read stop to. */
function stall(count: number): number[] {
  const numbers: number[] = []
  for (const [number, client] of clients) {
    if (numbers.length >= count) break
    if (!client.open || client.stalled) continue
    client.stalled = true
    client.socket.pause()
    numbers.push(number)
  }
  return numbers
}

function resume(): number[] {
  const numbers: number[] = []
  for (const [number, client] of clients) {
    if (!client.stalled) continue
    client.stalled = false
    client.socket.resume()
    numbers.push(number)
  }
  return numbers
}

function closeAll(): void {
  wanted = 0
  failed = 0
  error = undefined
  for (const { socket } of clients.values()) socket.destroy()
}

function obey(command: CrowdCommand): void {
  if (command.do === 'open') {
    wanted += command.count
    open(command.host, command.port, command.path)
  } else if (command.do === 'close') closeAll()
  else if (command.do === 'stall') send({ is: 'stalled', numbers: stall(command.count) })
  else if (command.do === 'resume') send({ is: 'resumed', numbers: resume() })
  // Who does not read does not see its connection end either.
  else for (const number of command.numbers) clients.get(number)?.socket.destroy()
  report()
}

function report(): void {
  let opened = 0
  let stalled = 0
  for (const client of clients.values()) {
    if (client.stalled) stalled += 1
    if (client.open) opened += 1
  }
  const state = { open: opened, connecting: wanted + clients.size - opened, stalled, failed, error }
  const text = JSON.stringify(state)
  if (text === reported) return
  reported = text
  send({ is: 'state', state })
}

function send(message: CrowdReport): void {
  if (process.connected) process.send?.(message)
}

process.on('message', obey)
process.on('disconnect', () => process.exit())
// A server that was killed leaves a moment in which the channel is broken and not yet disconnected.
process.on('error', () => process.exit())
// Ctrl-C reaches the whole group; the server says good-bye first, and then lets go.
process.on('SIGINT', () => {})
setInterval(report, REPORT_PERIOD)

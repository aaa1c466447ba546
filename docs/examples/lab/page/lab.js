// @ts-check
// The page: one stream in, and where each of its events goes.

import { wireConnection, wireCrowd, wirePublish, wireTrial } from './actions.js'
import { Charts } from './charts.js'
import { drawHealth, drawTrial } from './diagnosis.js'
import { byId, counted, setText, whole } from './dom.js'
import { Feed } from './feed.js'
import { drawCloses, drawConnection, drawCrowd } from './panels.js'
import { Stream } from './stream.js'

const CHANNELS = ['names', 'figures', 'events', 'lines', 'notes', 'closes', 'crowd', 'health', 'trial']
const MEGABYTE = 1024 * 1024

/** @param {number} value */
const short = (value) => (value < 10 && value % 1 !== 0 ? value.toFixed(1) : whole(value))
/** @param {number} value */
const thousands = (value) => (value < 10_000 ? whole(value) : `${short(value / 1_000)}k`)

/** @param {number} value */
function bytes(value) {
  if (value < 1_000) return `${whole(value)} B`
  return value < 1e6 ? `${short(value / 1_000)} kB` : `${short(value / 1e6)} MB`
}

const charts = new Charts(byId('charts'), byId('moment'), [
  {
    title: 'CPU',
    hint: 'server of one core, machine of all',
    unit: '%',
    least: 20,
    format: short,
    series: [
      { name: 'server', of: ({ cpu }) => cpu.process },
      { name: 'machine', of: ({ cpu }) => cpu.machine },
    ],
  },
  {
    title: 'Event-loop delay',
    hint: 'of the server',
    unit: 'ms',
    least: 4,
    format: short,
    series: [
      { name: 'p99', of: ({ loop }) => loop.p99 },
      { name: 'p50', of: ({ loop }) => loop.p50 },
    ],
  },
  {
    title: 'Memory',
    hint: 'of the server',
    unit: 'MB',
    least: 40,
    format: short,
    series: [
      { name: 'resident', of: ({ memory }) => memory.rss / MEGABYTE },
      { name: 'heap', of: ({ memory }) => memory.heap / MEGABYTE },
    ],
  },
  {
    title: 'Connections',
    hint: 'open now',
    unit: '',
    least: 10,
    format: whole,
    axis: thousands,
    series: [{ of: ({ connections }) => connections }],
  },
  {
    title: 'Deliveries',
    hint: 'events written',
    unit: '/s',
    least: 10,
    format: whole,
    axis: thousands,
    series: [{ of: ({ deliveries }) => deliveries }],
  },
  {
    title: 'Sent',
    hint: 'bytes of event stream',
    unit: '/s',
    least: 1_000,
    format: bytes,
    series: [{ of: (figures) => figures.bytes }],
  },
])
const feed = new Feed(byId('feed'), byId('feed-empty'))
const stream = new Stream(`/events?channels=${CHANNELS.join(',')}&from=oldest`, {
  onEvent,
  onGap,
  onHello,
  onChange,
})

/** The figures' running number, and the life of the server that it belongs to. */
let counting = { epoch: '', n: 0 }
/** A gap has told that some are missing before the next. */
let figuresLost = false

/** @param {import('./stream.js').StreamEvent} event */
function onEvent({ name, data, id, replayed }) {
  switch (name) {
    case 'figures': {
      const figures = JSON.parse(data)
      prove(figures.n, id)
      charts.add(figures)
      const { machineUsed, machineTotal } = figures.memory
      setText(byId('machine-memory'), ` · ${gigabytes(machineUsed)} of ${gigabytes(machineTotal)} GB in use`)
      return feed.add({ kind: 'figures', name, data, id, replayed, at: figures.at })
    }
    case 'note': {
      const note = JSON.parse(data)
      charts.mark(note)
      return feed.add({ kind: 'notice', name, data: note.text, id, replayed, at: note.at })
    }
    case 'line':
      return feed.add({ kind: 'line', name, data, id, replayed })
    case 'follow': {
      const { state, detail } = JSON.parse(data)
      setText(byId('follow-state'), state)
      return feed.add({ kind: 'notice', name: 'file', data: `${state}: ${detail}`, id, replayed })
    }
    case 'end':
      return feed.add({ kind: 'notice', name, data: data || 'A channel has ended.', id, tone: 'warn' })
    case 'closes':
      return drawCloses(JSON.parse(data))
    case 'crowd':
      return drawCrowd(JSON.parse(data))
    case 'health':
      return drawHealth(JSON.parse(data))
    case 'trial':
      return drawTrial(JSON.parse(data))
    case 'name':
      return
    default:
      return feed.add({ kind: 'event', name, data, id, replayed })
  }
}

/**
 * The figures are numbered one by one. A number that is missing, and that no gap has told of, would be a broken promise
 * of the server: say so loudly.
 *
 * @param {number} n
 * @param {string} id
 */
function prove(n, id) {
  const epoch = id.slice(0, id.indexOf('-'))
  const expected = counting.n + 1
  if (counting.epoch === epoch && n !== expected && !figuresLost) {
    const data = `Figures ${expected} to ${n - 1} are missing, and no gap was told.`
    feed.add({ kind: 'notice', name: 'hole', data, id, tone: 'bad' })
  }
  counting = { epoch, n }
  figuresLost = false
}

/**
 * @param {import('./stream.js').Gap} gap
 * @param {string} id
 */
function onGap(gap, id) {
  if (gap.channel === 'figures') figuresLost = true
  if (stream.live) feed.add({ kind: 'notice', name: 'gap', data: describeGap([gap]), id, tone: 'bad' })
}

/**
 * @param {import('./stream.js').Hello} hello
 * @param {import('./stream.js').Resume} resume
 */
function onHello({ connection, node, pid, cpus, platform, follow }, { outcome, replayed, gaps }) {
  setText(byId('machine'), `Node ${node} · ${platform} · ${counted(cpus, 'core')} · process ${pid}`)
  setText(byId('follow-file'), follow?.file ?? '')
  setText(byId('follow-state'), follow?.state ?? '')
  byId('following').hidden = follow === null
  if (gaps.length > 0) feed.add({ kind: 'notice', name: 'gap', data: describeGap(gaps), tone: 'bad' })
  const events = counted(replayed, 'event')
  const data = {
    none: `Connection ${connection} is live, after ${events} of history.`,
    full: `Connection ${connection} resumed in full: ${events} replayed, none lost.`,
    gap: `Connection ${connection} resumed with a gap; ${events} replayed.`,
  }[outcome]
  feed.add({ kind: 'notice', name: 'connected', data, tone: outcome === 'gap' ? 'warn' : 'good' })
}

const WHY = Object.freeze({
  epoch: 'the server has started anew since',
  evicted: 'they are no longer kept',
  unknown: 'nothing here has that id',
})

/**
 * Gaps of one cause, told together.
 *
 * @param {import('./stream.js').Gap[]} gaps at least one
 */
function describeGap(gaps) {
  const { reason, requested } = /** @type {import('./stream.js').Gap} */ (gaps[0])
  const channels = gaps.map(({ channel }) => channel).join(', ')
  return `Events of ${channels} after ${requested ?? 'the last one seen'} are missing: ${WHY[reason]}.`
}

/** @param {number} bytes */
function gigabytes(bytes) {
  return (bytes / MEGABYTE / 1024).toFixed(1)
}

let drawing = false

/** A replay changes the state hundreds of times in a row; people see the last. */
function onChange() {
  if (drawing) return
  drawing = true
  setTimeout(() => {
    drawing = false
    drawConnection(stream)
  })
}

for (const chip of document.querySelectorAll('.chip[data-kind], #hold')) {
  if (!(chip instanceof HTMLElement)) continue
  chip.addEventListener('click', () => {
    const pressed = chip.getAttribute('aria-pressed') !== 'true'
    chip.setAttribute('aria-pressed', String(pressed))
    if (chip.dataset.kind) feed.show(chip.dataset.kind, pressed)
    else feed.hold(pressed)
  })
}

setText(byId('hint'), `curl -d event=greeting -d data=hello ${location.origin}/publish`)
drawCrowd({ open: 0, connecting: 0, stalled: 0, failed: 0, load: false })
drawCloses({ counts: {}, last: {} })
wireConnection(stream)
wireCrowd()
wireTrial()
wirePublish()
// The countdown to the next attempt moves without events.
setInterval(() => {
  if (stream.phase === 'reconnecting') drawConnection(stream)
}, 250)
stream.connect()

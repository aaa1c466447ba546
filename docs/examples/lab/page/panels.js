// @ts-check
// The panels beside the charts: the connection, the crowd, the close reasons. Each is drawn from a state, whole.

import { byId, counted, element, setText, whole } from './dom.js'

/** @typedef {import('./stream.js').Stream} Stream */

/** @param {Stream} stream */
export function drawConnection(stream) {
  const { phase, hello, lastEventId, reconnects } = stream
  const pill = byId('pill')
  pill.dataset.phase = phase
  setText(byId('pill-text'), phase)
  setText(byId('state'), describePhase(stream))
  setText(byId('last-id'), lastEventId || 'none yet')
  setText(byId('reconnects'), whole(reconnects))
  setText(byId('resume'), describeResume(stream))
  byId('resume').dataset.outcome = stream.resume?.outcome ?? 'none'
  byId('again').hidden = phase !== 'closed'
  for (const id of ['drop', 'forget']) {
    const button = /** @type {HTMLButtonElement} */ (byId(id))
    button.disabled = phase !== 'open' || !hello
  }
}

/** @param {Stream} stream */
function describePhase({ phase, hello, retryAt }) {
  const seconds = Math.ceil((retryAt - performance.now()) / 1_000)
  if (phase === 'open') return hello ? `open, number ${hello.connection} of this server` : 'open'
  if (phase === 'reconnecting') return seconds > 0 ? `reconnecting in ${seconds} s` : 'reconnecting now'
  if (phase === 'closed') return 'closed: the browser has given up'
  return 'connecting'
}

/** @param {Stream} stream */
function describeResume({ resume }) {
  if (!resume) return 'none so far'
  const { outcome, replayed, gaps } = resume
  if (outcome === 'none') return `none asked for; ${counted(replayed, 'event')} of history`
  if (outcome === 'full') return `in full: ${counted(replayed, 'event')} replayed, none lost`
  const reason = gaps[0]?.reason
  if (reason === 'epoch') return 'with a gap (epoch): the server has started anew'
  return `with a gap (${reason}) in ${gaps.map(({ channel }) => channel).join(', ')}`
}

/** @param {{ open: number, connecting: number, stalled: number, failed: number, error?: string, load: boolean }} crowd */
export function drawCrowd({ open, connecting, stalled, failed, error, load }) {
  setText(byId('crowd-open'), whole(open))
  setText(byId('crowd-connecting'), whole(connecting))
  setText(byId('crowd-stalled'), whole(stalled))
  byId('crowd-stalled').parentElement?.classList.toggle('some', stalled > 0)
  const news = []
  if (load) news.push('Those who do not read are sent 64 KB events until their buffers are full.')
  if (failed > 0) news.push(`${counted(failed, 'client')} could not connect (${error}).`)
  setText(byId('crowd-news'), news.join(' '))
  byId('crowd-news').hidden = news.length === 0
  /** @type {Record<string, boolean>} */
  const possible = { open: true, stall: open > stalled, resume: stalled > 0, close: open + connecting > 0 }
  for (const button of document.querySelectorAll('button[data-crowd]')) {
    if (!(button instanceof HTMLButtonElement)) continue
    const { crowd = '' } = button.dataset
    if (crowd === 'resume') button.hidden = !possible.resume
    else button.disabled = !possible[crowd]
  }
}

/** In the order of interest; the words are for people who have not read the manual. */
const REASONS = Object.freeze({
  client: 'The reader left, or something between cut the line.',
  stalled: 'The reader stopped reading, and its buffers stayed full.',
  overflow: 'The reader fell so far behind that its place was gone.',
  dead: 'The peer vanished without a word; TCP keep-alive found out.',
  rotated: 'The connection reached its maximum age.',
  closed: 'The application closed it, as “Drop my connection” does.',
  ended: 'All its channels had ended.',
  shutdown: 'The server went down in good order.',
  error: 'Writing failed on the server’s side.',
})

/** @typedef {{ counts: Record<string, number>, last: Record<string, { age: number, silence: number, at: number }> }} Closes */

/** @param {Closes} closes */
export function drawCloses({ counts, last }) {
  const most = Math.max(1, ...Object.values(counts))
  const total = Object.values(counts).reduce((sum, one) => sum + one, 0)
  setText(byId('closes-total'), total === 0 ? 'none so far' : `${whole(total)} in all`)
  const rows = Object.entries(REASONS).map(([reason, words]) =>
    closeRow(reason, words, counts[reason] ?? 0, most, last[reason]),
  )
  byId('closes').replaceChildren(...rows)
}

/**
 * @param {string} reason
 * @param {string} words
 * @param {number} count
 * @param {number} most
 * @param {{ age: number } | undefined} last
 */
function closeRow(reason, words, count, most, last) {
  const bar = element('span', 'bar')
  bar.style.setProperty('--part', String(count / most))
  const age = last ? ` The last lived ${duration(last.age)}.` : ''
  const made = element(
    'li',
    count === 0 ? 'none' : '',
    element('span', 'reason', reason),
    element('span', 'track', bar),
    element('b', 'count', whole(count)),
    element('span', 'words', words + age),
  )
  made.dataset.reason = reason
  return made
}

/** @param {number} milliseconds */
function duration(milliseconds) {
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`
  if (milliseconds < 120_000) return `${(milliseconds / 1_000).toFixed(1)} s`
  return `${Math.round(milliseconds / 60_000)} min`
}

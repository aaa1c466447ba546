// @ts-check
// The diagnosis: the hub's own counters and findings, and those of the trial behind a misconfigured proxy.

import { byId, counted, element, setText, whole } from './dom.js'

/** @typedef {{ code: string, severity: string, title: string, message: string, cure: string, evidence: Record<string, number> }} Finding */

/** What stands in the list of counters: its word, and how its value reads. @type {Record<string, string>} */
const COUNTERS = Object.freeze({
  connections: 'open',
  opened: 'ever opened',
  refused: 'refused',
  published: 'published',
  delivered: 'delivered',
  gaps: 'gaps told',
  stalls: 'stalls seen',
  slowest: 'events behind, the slowest',
  logBytes: 'bytes in the logs',
})

/** @param {{ stats: Record<string, number>, findings: Finding[] }} health */
export function drawHealth({ stats, findings }) {
  const rows = Object.entries(COUNTERS).map(([name, word]) =>
    element('div', '', element('dt', '', word), element('dd', '', whole(stats[name] ?? 0))),
  )
  byId('counters').replaceChildren(...rows)
  drawFindings(byId('findings'), findings, 'Nothing to say: too few closes, or all is well.')
}

/** @type {Record<string, string>} */
const FAULTS = Object.freeze({
  idle: 'The proxy cuts a stream that was silent for 5 s. The heartbeat is the default, 20 s.',
  age: 'The proxy cuts every stream after 8 s, however much is sent.',
  buffer: 'The proxy holds answers back until it has 16 KB; the pages give up after 4 s without a byte.',
})

/** @typedef {{ fault: string, cured: string | null, clients: number, closedByPeer: number, opened: number, seconds: number, findings: Finding[] }} Trial */

/** @param {Trial} trial */
export function drawTrial({ fault, cured, clients, closedByPeer, opened, seconds, findings }) {
  for (const button of document.querySelectorAll('button[data-fault]')) {
    if (button instanceof HTMLButtonElement) {
      button.setAttribute('aria-pressed', String(button.dataset.fault === fault))
    }
  }
  const running = fault !== 'none'
  byId('trial').hidden = !running
  if (!running) return
  const settled = cured ? `Cured with ${cured}.` : FAULTS[fault]
  setText(byId('trial-words'), `${settled}`)
  setText(
    byId('trial-figures'),
    `${whole(seconds)} s · ${counted(clients, 'client')} open · ${whole(opened)} opened · ${whole(closedByPeer)} closed by the peer`,
  )
  const quiet = cured
    ? 'Quiet: nothing closes any more that should not.'
    : 'Nothing to say yet: a diagnosis wants at least 30 closes.'
  drawFindings(byId('trial-findings'), findings, quiet)
  byId('cure').hidden = cured !== null || findings.length === 0
}

/**
 * @param {HTMLElement} list
 * @param {Finding[]} findings
 * @param {string} none
 */
function drawFindings(list, findings, none) {
  const text = JSON.stringify(findings) || none
  if (list.dataset.drawn === text + none) return
  list.dataset.drawn = text + none
  if (findings.length === 0) {
    list.replaceChildren(element('li', 'quiet', none))
    return
  }
  const rows = findings.map(({ code, severity, title, message, cure }) => {
    const made = element(
      'li',
      '',
      element(
        'p',
        'finding-title',
        element('span', 'severity', severity),
        `${title} `,
        element('code', '', code),
      ),
      element('p', 'finding-message', message),
      element('p', 'finding-cure', element('b', '', 'Cure: '), cure),
    )
    made.dataset.severity = severity
    return made
  })
  list.replaceChildren(...rows)
}

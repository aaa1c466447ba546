// @ts-check
// The list of events, newest first: bounded, and drawn once per frame however many arrive.

import { element } from './dom.js'

const MAX_ROWS = 200
/** Figures come every second; they may not push out what is rare. */
const MAX_FIGURES = 30
const MAX_DATA = 2_000

/**
 * @typedef {'event' | 'line' | 'notice' | 'figures'} Kind
 *
 * @typedef {object} Entry
 * @property {Kind} kind
 * @property {string} name
 * @property {string} data
 * @property {string} [id]
 * @property {boolean} [replayed]
 * @property {number} [at] when it was published, where it says so; when it arrived, otherwise
 * @property {'good' | 'warn' | 'bad'} [tone]
 */

export class Feed {
  /** @type {HTMLElement} */
  #list
  /** @type {HTMLElement} */
  #empty
  /** @type {Set<string>} */
  #shown = new Set(['event', 'line', 'notice'])
  /** @type {HTMLElement[]} rows made and not yet in the list, oldest first */
  #waiting = []
  #held = false
  #planned = false

  /**
   * @param {HTMLElement} list
   * @param {HTMLElement} empty shown while the list shows nothing
   */
  constructor(list, empty) {
    this.#list = list
    this.#empty = empty
  }

  /** @param {Entry} entry */
  add(entry) {
    this.#waiting.push(row(entry))
    if (this.#waiting.length > MAX_ROWS) this.#waiting.shift()
    this.#plan()
  }

  /**
   * @param {string} kind
   * @param {boolean} shown
   */
  show(kind, shown) {
    if (shown) this.#shown.add(kind)
    else this.#shown.delete(kind)
    this.#list.dataset.shown = [...this.#shown].join(' ')
    for (const one of this.#list.children) this.#filter(one)
    this.#look()
  }

  /**
   * While held, the list stays as it is; what comes meanwhile follows afterwards.
   *
   * @param {boolean} held
   */
  hold(held) {
    this.#held = held
    this.#plan()
  }

  #plan() {
    if (this.#planned || this.#held) return
    this.#planned = true
    requestAnimationFrame(() => this.#flush())
  }

  #flush() {
    this.#planned = false
    if (this.#held || this.#waiting.length === 0) return
    const rows = this.#waiting.reverse()
    this.#waiting = []
    for (const one of rows) this.#filter(one)
    this.#list.prepend(...rows)
    const figures = this.#list.querySelectorAll('[data-kind=figures]')
    for (let index = MAX_FIGURES; index < figures.length; index += 1) figures[index]?.remove()
    while (this.#list.children.length > MAX_ROWS) this.#list.lastElementChild?.remove()
    this.#look()
  }

  /** @param {Element} one */
  #filter(one) {
    if (one instanceof HTMLElement) one.hidden = !this.#shown.has(one.dataset.kind ?? '')
  }

  #look() {
    const some = this.#list.querySelector('li:not([hidden])') !== null
    this.#list.hidden = !some
    this.#empty.hidden = some
  }
}

/** @param {Entry} entry */
function row({ kind, name, data, id, replayed, tone, at }) {
  const what = element('span', 'what', element('span', 'event-name', name))
  if (replayed) what.append(' ', element('span', 'replayed', 'replayed'))
  const cut =
    data.length > MAX_DATA ? `${data.slice(0, MAX_DATA)} … (${data.length - MAX_DATA} characters more)` : data
  // When a replayed event was published is not known, unless it says so.
  const time =
    replayed && at === undefined ? element('time', '', 'earlier') : clock(new Date(at ?? Date.now()))
  const made = element('li', '', time, what, element('span', 'data', cut), element('code', 'id', id ?? ''))
  made.dataset.kind = kind
  if (tone) made.dataset.tone = tone
  return made
}

/** @param {Date} date */
function clock(date) {
  const made = element('time', '', date.toLocaleTimeString('en', { hourCycle: 'h23' }))
  made.setAttribute('datetime', date.toISOString())
  return made
}

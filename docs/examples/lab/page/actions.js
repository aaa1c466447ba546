// @ts-check
// What the visitor can do: each button and form is one POST, and its answer stands beside it in words.

import { byId, counted, setText } from './dom.js'

/** @typedef {import('./stream.js').Stream} Stream */

/**
 * @param {string} path
 * @param {Record<string, unknown>} fields
 * @returns {Promise<any>} the answer
 * @throws {Error} with the server's code and message
 */
async function post(path, fields) {
  let response
  try {
    response = await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(fields),
    })
  } catch {
    throw new Error('The server does not answer.')
  }
  const answer = await response.json()
  if (!response.ok) throw new Error(`${answer.code}: ${answer.message}`)
  return answer
}

/** Good news is old after this. */
const PASSING = 12_000

/**
 * @param {HTMLElement} place
 * @param {() => Promise<string>} act settles with what to say
 */
async function say(place, act) {
  try {
    const text = await act()
    setText(place, text)
    place.dataset.tone = 'good'
    setTimeout(() => {
      if (place.textContent === text) setText(place, '')
    }, PASSING)
  } catch (error) {
    setText(place, error instanceof Error ? error.message : String(error))
    place.dataset.tone = 'bad'
  }
}

/** @param {Stream} stream */
export function wireConnection(stream) {
  /** @param {boolean} forget */
  const drop = (forget) =>
    say(byId('dropped'), async () => {
      await post('/drop', { token: stream.hello?.token, forget })
      return ''
    })
  byId('drop').addEventListener('click', () => drop(false))
  byId('forget').addEventListener('click', () => drop(true))
  byId('again').addEventListener('click', () => stream.connect())
}

/** @type {Record<string, (count: number) => string>} */
const DONE = {
  open: (count) => `Opening ${counted(count, 'client')}.`,
  stall: (count) =>
    `${counted(count, 'client')} stopped reading. They close as “stalled” in some 15 seconds.`,
  resume: (count) => `${counted(count, 'client')} read again.`,
  close: (count) => `${counted(count, 'client')} left.`,
}

export function wireCrowd() {
  for (const button of document.querySelectorAll('button[data-crowd]')) {
    if (!(button instanceof HTMLButtonElement)) continue
    const action = button.dataset.crowd ?? ''
    const fields = button.dataset.count ? { action, count: Number(button.dataset.count) } : { action }
    button.addEventListener('click', () =>
      say(byId('ordered'), async () => {
        const { count } = await post('/crowd', fields)
        return DONE[action]?.(count) ?? ''
      }),
    )
  }
}

export function wireTrial() {
  for (const button of document.querySelectorAll('button[data-fault]')) {
    if (!(button instanceof HTMLButtonElement)) continue
    button.addEventListener('click', () =>
      say(byId('tried'), async () => {
        await post('/trial', { fault: button.dataset.fault })
        return ''
      }),
    )
  }
  byId('cure').addEventListener('click', () =>
    say(byId('tried'), async () => {
      const { cured } = await post('/trial', { cure: true })
      return `Set: ${cured}. The clients begin anew.`
    }),
  )
}

export function wirePublish() {
  const form = /** @type {HTMLFormElement} */ (byId('publish'))
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const fields = Object.fromEntries(new FormData(form))
    // What was left empty is left out: an empty id would mean something.
    const parts = Object.entries(fields).filter(([name, value]) => name === 'data' || value !== '')
    say(byId('published'), async () => {
      const { id } = await post('/publish', Object.fromEntries(parts))
      return `Published with the id ${id}.`
    })
  })
  form.querySelector('textarea')?.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault()
      form.requestSubmit()
    }
  })
}

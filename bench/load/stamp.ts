// When an event was sent, by its own word, and what time it is now on the clock that it is held against.

/** The time of sending in epoch milliseconds, if the data tells it. */
export type Stamp = (data: string) => number | undefined

/** A wall clock that jumped by more than this is followed; less is the granularity of `Date.now()`. */
const STEP = 5
const DELIMITED = /^\/(.+)\/([a-z]*)$/s

/**
 * @param text `field`, `path.to.field` of JSON data, or `/regular expression/flags`
 * @throws {Error} when the expression does not compile
 */
export function parseStamp(text: string): Stamp {
  const delimited = DELIMITED.exec(text)
  const read = delimited
    ? byExpression(new RegExp(delimited[1] as string, delimited[2]?.replace(/[gy]/g, ''))) // both groups always match
    : byField(text)
  // A fan-out hands the same data to every client in turn: it is looked into once.
  let lastData: string | undefined
  let lastTime: number | undefined
  return (data) => {
    if (data !== lastData) {
      lastTime = read(data)
      lastData = data
    }
    return lastTime
  }
}

function byExpression(expression: RegExp): Stamp {
  return (data) => {
    const match = expression.exec(data)
    return match ? asTime(match[1] ?? match[0]) : undefined
  }
}

function byField(path: string): Stamp {
  const names = path.split('.')
  if (names.includes('')) throw new Error('it must be a field, as in sentAt or meta.sentAt')
  return (data) => {
    let value: unknown
    try {
      value = JSON.parse(data)
    } catch {
      return undefined
    }
    for (const name of names) {
      if (typeof value !== 'object' || value === null) return undefined
      value = (value as Record<string, unknown>)[name]
    }
    return asTime(value)
  }
}

function asTime(value: unknown): number | undefined {
  const time = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  return typeof time === 'number' && Number.isFinite(time) ? time : undefined
}

let origin = performance.timeOrigin

/** Epoch milliseconds with a fraction, unlike `Date.now()`, and set right when the wall clock is. */
export function epochNow(): number {
  const now = origin + performance.now()
  const wall = Date.now()
  if (Math.abs(now - wall) <= STEP) return now
  origin += wall - now
  return wall
}

// The events that are published: numbered from 1, so that number and position are the same, each of a length of its own
// and with its number at both ends, so that a part of one, or two run together, cannot pass for one.

/** The data of event `n`, with at most `most` bytes of padding. */
export function dataOf(n: number, most: number): string {
  const length = most === 0 ? 0 : (n * 7_919) % (most + 1)
  return `${n}:${length}:${'x'.repeat(length)}:${n}`
}

/** The number of an event, or `undefined` when it is not whole. */
export function numberOf(data: string): number | undefined {
  const first = data.indexOf(':')
  const second = data.indexOf(':', first + 1)
  const number = data.slice(0, first)
  const length = Number(data.slice(first + 1, second))
  if (data.length !== second + 2 + length + number.length) return undefined
  if (data.slice(second + 1 + length) !== `:${number}`) return undefined
  if (data.slice(second + 1, second + 1 + length) !== 'x'.repeat(length)) return undefined
  return Number(number)
}

/** The sequence in an id of the form that a hub mints. */
export function positionOf(id: string): { epoch: string; sequence: number } {
  const hyphen = id.indexOf('-')
  return { epoch: id.slice(0, hyphen), sequence: Number(id.slice(hyphen + 1)) }
}

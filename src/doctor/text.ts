// Figures and foreign text as they are shown to a person.

/** A duration in milliseconds, with as many digits as one can use. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`
}

/** Bytes in the largest unit that leaves a number of 1 or more. */
export function size(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`
  return bytes < 1_048_576 ? `${Math.round(bytes / 1_024)} KiB` : `${(bytes / 1_048_576).toFixed(1)} MiB`
}

/** "1 event", "3 events". */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`
}

/** What a server sent, in quotes: on one line, short, and with nothing in it that a terminal obeys. */
export function quoted(text: string, most = 80): string {
  const line = text.length > most ? `${text.slice(0, most)}…` : text
  return `"${line.replace(/[^\x20-\x7e…]/g, escaped)}"`
}

function escaped(character: string): string {
  if (character === '\n') return '\\n'
  if (character === '\r') return '\\r'
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

export function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle]
  if (upper === undefined || sorted.length % 2 === 1) return upper
  return (upper + (sorted[middle - 1] as number)) / 2 // two at least
}

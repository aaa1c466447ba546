// Times that a server put into its own events. They tell whether events were made apart and arrived together, without
// any clock in common: only their distances from each other are used.

/** From 2017 to 2069: what is outside is a number of another kind. */
const FROM = 1_500_000_000_000
const TO = 3_155_760_000_000

const MILLISECONDS = /(?<![\d.])(1[5-9]\d{11}|2\d{12}|3[01]\d{11})(?!\d)/
const ISO = /\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:?\d{2})/
/** Seconds only with a fraction: whole ones are too coarse, and too like any other number. */
const SECONDS = /(?<![\d.])((?:1[5-9]|2\d|30)\d{8}\.\d{1,9})(?!\d)/

/** The first time in a text, in milliseconds since the epoch, to the millisecond; `undefined` where there is none. */
export function findStamp(text: string): number | undefined {
  const milliseconds = MILLISECONDS.exec(text)?.[1]
  if (milliseconds !== undefined) return plausible(Number(milliseconds))
  const iso = ISO.exec(text)?.[0]
  if (iso !== undefined) return plausible(Date.parse(iso))
  const seconds = SECONDS.exec(text)?.[1]
  return seconds === undefined ? undefined : plausible(Number(seconds) * 1_000)
}

function plausible(time: number): number | undefined {
  return time >= FROM && time <= TO ? time : undefined
}

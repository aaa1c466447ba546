// Where to resume from, so that the answer says the most: an id in the middle of those seen, with events after it that
// must come again and events up to it that must not.

import type { StreamSeen } from './observations.ts'

export interface ResumePlan {
  readonly id: string
  readonly missed: readonly string[]
  readonly before: readonly string[]
}

/** As many as are looked for again. */
const MOST = 50
/** Characters that an HTTP client cannot send in a header. */
const UNSENDABLE = /[^\t\x20-\x7e\u0080-\u{10ffff}]/u
const LONGEST = 512

export function planResume(body: StreamSeen): ResumePlan | undefined {
  const ids: { id: string; fired: boolean }[] = []
  for (const { id, fired } of body.blocks) {
    if (id !== undefined && id !== '' && id.length <= LONGEST && !UNSENDABLE.test(id)) ids.push({ id, fired })
  }
  const recent = ids.slice(-2 * MOST)
  const at = Math.max(0, Math.floor((recent.length - 1) / 2))
  const from = recent[at]
  if (!from) return undefined
  const before = new Set(recent.slice(0, at + 1).map(({ id }) => id))
  // An id used twice cannot tell before from after.
  const missed = recent.slice(at + 1).filter(({ id, fired }) => fired && !before.has(id))
  return { id: from.id, missed: missed.map(({ id }) => id), before: [...before] }
}

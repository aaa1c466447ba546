// A full collection, so that what a test measures is held and not merely not yet collected.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

export async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void // the flag makes it so
  // Twice with a turn between: buffers are let go by finalizers that run after the first.
  collect()
  await new Promise((resolve) => setImmediate(resolve))
  collect()
}

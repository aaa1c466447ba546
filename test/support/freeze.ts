// Stops a process in the midst of whatever it does. The signal takes a moment, in which a server goes on answering.

import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** Settles when every thread of the process stands still, where the system tells (Linux). */
export async function freeze(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  const tasks = `/proc/${pid}/task`
  const end = performance.now() + 10_000
  while (existsSync(tasks) && !readdirSync(tasks).every((task) => stands(`${tasks}/${task}/stat`))) {
    if (performance.now() > end) throw new Error(`the process ${pid} does not stop`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

/** The state comes after the name, which is in parentheses and may hold some itself. */
function stands(stat: string): boolean {
  try {
    return /\) [TtZX] /.test(readFileSync(stat, 'utf8'))
  } catch {
    return true // a thread that has ended meanwhile
  }
}

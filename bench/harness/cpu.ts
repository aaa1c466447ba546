// CPU time and memory of another process, from the kernel (Linux).

import { readFileSync } from 'node:fs'

/** Microseconds: by the scheduler's nanoseconds where it tells them, by ticks of 10 ms otherwise. */
export function cpuMicrosOf(pid: number): number {
  try {
    const tasks = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')
    return Number(tasks[0]) / 1_000
  } catch {
    return ticksOf(pid) * 10_000
  }
}

function ticksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name, in parentheses, may hold spaces; user and system time are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11]) + Number(fields[12])
}

export function residentBytesOf(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kilobytes) * 1_024
}

// Numbers and times as people read them.

const counts = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 })

export function number(value: number | null): string {
  return value === null ? '-' : counts.format(value)
}

/** Milliseconds as "0.42 ms", "12 ms", "1.25 s". */
export function duration(ms: number | null): string {
  if (ms === null) return '-'
  if (ms >= 100_000) return `${Math.round(ms / 1_000)} s`
  if (ms >= 1_000) return `${Number((ms / 1_000).toPrecision(3))} s`
  return `${ms < 10 ? ms.toFixed(2) : ms.toPrecision(3).replace(/\.0$/, '')} ms`
}

export function size(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(2)} GB`
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(1)} MB`
  if (bytes >= 1e3) return `${(bytes / 1e3).toFixed(1)} KB`
  return `${bytes} B`
}

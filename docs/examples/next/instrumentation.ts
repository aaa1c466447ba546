// Next calls this once, when a server starts, in each of its runtimes; only one of them has processes and signals.

export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME === 'nodejs') (await import('./close-on-signals.ts')).closeOnSignals()
}

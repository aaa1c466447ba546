// What is fuzzed: an input from chance, and the question whether all is well with it.

import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { seeded } from '../support/seeded.ts'
import type { Random } from './random.ts'

export interface Target {
  readonly name: string
  /** An input; `corpus` is what was found interesting before. */
  input(random: Random, corpus: readonly Uint8Array[]): Uint8Array
  /** Throws where something is wrong. `random` decides how the input is served: its cuts. */
  check(input: Uint8Array, random: Random): void | Promise<void>
  close?(): Promise<void>
}

const CORPUS = join(import.meta.dirname, 'corpus')

export function corpusOf(name: string): Uint8Array[] {
  try {
    return readdirSync(join(CORPUS, name))
      .sort()
      .map((file) => readFileSync(join(CORPUS, name, file)))
  } catch {
    return []
  }
}

/** Replays the corpus, then tries new inputs for so long. Gives how many were tried; throws at the first that fails, which is kept in the corpus. */
export async function fuzz(target: Target, milliseconds: number, seed: number): Promise<number> {
  const corpus = corpusOf(target.name)
  const end = performance.now() + milliseconds
  let tried = 0
  try {
    for (; tried < corpus.length || performance.now() < end; tried += 1) {
      // Each input has a seed of its own, so that one is found again without those before it.
      const random = seeded(seed + tried)
      const input = corpus[tried] ?? target.input(random, corpus)
      try {
        await target.check(input, random)
      } catch (error) {
        const name = createHash('sha256').update(input).digest('hex').slice(0, 12)
        mkdirSync(join(CORPUS, target.name), { recursive: true })
        writeFileSync(join(CORPUS, target.name, name), input)
        const what = `${target.name}: input ${name} of seed ${seed + tried} fails (kept in test/fuzz/corpus/${target.name})`
        throw new Error(what, { cause: error })
      }
    }
  } finally {
    await target.close?.()
  }
  return tried
}

// npm run fuzz -- [decoder|roundtrip|requests] [--seconds N] [--seed N]: without a name all of them, one after the other.

import { parseArgs } from 'node:util'
import { decoder } from './decoder.ts'
import { requests } from './requests.ts'
import { roundtrip } from './roundtrip.ts'
import { fuzz } from './target.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
const all = [decoder, roundtrip, requests]
const chosen = positionals.length === 0 ? all : all.filter(({ name }) => positionals.includes(name))
if (chosen.length === 0) {
  console.error(`there is no ${positionals.join(', ')}; there are ${all.map(({ name }) => name).join(', ')}`)
  process.exit(2)
}
for (const target of chosen) {
  const tried = await fuzz(target, Number(values.seconds) * 1_000, seed)
  console.log(`${target.name}: ${tried} inputs, none failed (seed ${seed})`)
}
process.exit(0)

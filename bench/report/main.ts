// Result files of the bench into a page with charts. See --help.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { charts } from './charts.ts'
import { collect } from './collect.ts'
import { page } from './page.ts'
import { readResult } from './result.ts'

const USAGE = `Writes a page with charts from the JSON that the scenarios of bench/ write.

  npx tsx bench/report/main.ts results/*.json [--out docs/benchmarks.md]

  --out FILE  the page; its charts go to a folder of the same name beside it. Default docs/benchmarks.md
  --help      say this

Of several results for the same work the newest counts, and only results of the same machine and Node.js as the
newest one; the page names what was left out.
`

function main(argv: string[]): void {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      out: { type: 'string', default: 'docs/benchmarks.md' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(USAGE)
    return
  }
  if (positionals.length === 0) throw new Error('No result file was given.')
  if (!values.out.endsWith('.md')) throw new Error(`--out is "${values.out}"; it must end in .md.`)
  const results = positionals.map((file) => readResult(basename(file), readFileSync(file, 'utf8')))
  const body = collect(results)
  const drawn = charts(body)
  const folder = values.out.slice(0, -'.md'.length)
  mkdirSync(dirname(values.out), { recursive: true })
  if (drawn.length > 0) mkdirSync(folder, { recursive: true })
  for (const { file, svg } of drawn) writeFileSync(join(folder, file), svg)
  writeFileSync(values.out, page(body, drawn, basename(folder)))
  for (const { file, why } of body.left) console.error(`left out ${file}: ${why}`)
  console.log(`${values.out}: ${body.results.length} results, ${drawn.length} charts`)
}

try {
  main(process.argv.slice(2))
} catch (error) {
  console.error(`${error instanceof Error ? error.message : error}\n\n(--help tells the options)`)
  process.exitCode = 2
}

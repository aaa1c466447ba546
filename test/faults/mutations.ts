// Does the suite see what it is there to see? Puts one deliberate defect after another into a copy of src, and runs the
// scenario that must find it. A defect that no scenario finds fails this run, and so does one whose text is gone from src.
//
//   npm run test:mutations                all
//   npm run test:mutations -- gap stall   those with one of the words in their name

import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

interface Mutation {
  readonly name: string
  /** The scenario that finds it soonest. */
  readonly scenario: string
  /** Below src/. */
  readonly file: string
  /** In src once, word for word. */
  readonly find: string
  readonly replace: string
}

const MUTATIONS: readonly Mutation[] = [
  {
    name: 'drop the drain handler',
    scenario: 'killed-clients',
    file: 'core/connection.ts',
    find: 'if (this.#outbox || this.#leaving || this.#cursor.behind) this.#host.fanOut.wake(this)',
    replace: '',
  },
  {
    name: 'skip a gap',
    scenario: 'stopped-readers',
    file: 'core/cursor.ts',
    find: 'if (!draft.takePrivate(gap, 0)) return draft.finish(this.position, false)\n',
    replace: 'void gap\n',
  },
  {
    name: 'a gap without the event that it leads to',
    scenario: 'stopped-readers',
    file: 'core/cursor.ts',
    find: 'if (afterGap) this.#owed =',
    replace: 'if (afterGap && this.position < 0) this.#owed =',
  },
  {
    name: 'replay one too many',
    scenario: 'hostile-requests',
    file: 'core/resume.ts',
    find: "return parsed.sequence <= head ? parsed.sequence : 'unknown'",
    replace: "return parsed.sequence <= head ? parsed.sequence - 1 : 'unknown'",
  },
  {
    name: 'replay one too few',
    scenario: 'hostile-requests',
    file: 'core/resume.ts',
    find: "return parsed.sequence <= head ? parsed.sequence : 'unknown'",
    replace: "return parsed.sequence <= head ? Math.min(head, parsed.sequence + 1) : 'unknown'",
  },
  {
    name: 'forget an unsubscribe',
    scenario: 'pipelined',
    file: 'core/connection.ts',
    find: 'this.#cursor.variant.readers -= 1\n    this.#dropSubscriptions()\n',
    replace: 'this.#cursor.variant.readers -= 1\n',
  },
  {
    name: 'deliver twice after a drain',
    scenario: 'stopped-readers',
    file: 'core/connection.ts',
    find: "    this.#state = 'ready'\n    if (this.#waiting",
    replace:
      "    this.#state = 'ready'\n    if (this.#blockedSweeps > 0) this.#cursor.position -= 1\n    if (this.#waiting",
  },
  {
    name: 'do not advance the position',
    scenario: 'killed-clients',
    file: 'core/cursor.ts',
    find: 'this.position = batch.whole ? host.head : batch.through',
    replace: 'if (batch.whole) this.position = host.head',
  },
  {
    name: 'do not count a close',
    scenario: 'pipelined',
    file: 'core/hub.ts',
    find: 'this.#counters.closed(closed.reason)',
    replace: '',
  },
  {
    name: 'close twice',
    scenario: 'pipelined',
    file: 'core/hub.ts',
    find: "this.#emitter.emit('close', connection, closed)",
    replace: "for (let n = 0; n < 2; n += 1) this.#emitter.emit('close', connection, closed)",
  },
  {
    name: 'no stall timeout',
    scenario: 'half-close',
    file: 'core/sweep.ts',
    find: 'if (blocked > this.#patience)',
    replace: 'if (blocked > this.#patience * 1_000)',
  },
  {
    name: 'stalls by the time of the clock',
    scenario: 'blocked-loop',
    file: 'core/connection.ts',
    find: 'this.#blockedSweeps += 1',
    replace: 'this.#blockedSweeps = Math.floor((this.#host.clock.now() - this.#lastWriteAt) / 50)',
  },
  {
    name: 'a heartbeat to a blocked connection',
    scenario: 'half-close',
    file: 'core/connection.ts',
    find: "return this.#state === 'ready' ? now - this.#lastWriteAt : 0",
    replace:
      "if (this.#state === 'blocked' && now - this.#lastWriteAt >= this.#host.heartbeatAfter) this.#write(this.#host.heartbeatBytes, 0, now)\n    return this.#state === 'ready' ? now - this.#lastWriteAt : 0",
  },
  {
    name: 'ignore maxBufferedBytes',
    scenario: 'trickle-readers',
    file: 'core/connection.ts',
    find: 'if (!this.#open || this.bufferedBytes >= this.#host.maxBufferedBytes) return false',
    replace: 'if (!this.#open) return false',
  },
  {
    name: 'the wall clock',
    scenario: 'clock-jumps',
    file: 'core/clock.ts',
    find: 'now: () => performance.now()',
    replace: 'now: () => Date.now()',
  },
  {
    name: 'a filter that throws takes its connection along',
    scenario: 'callbacks',
    file: 'core/cursor.ts',
    find: "host.report(error, { during: 'filter', channel: event.channel })\n      return false",
    replace: 'throw error',
  },
]

/** Two at a time, for two cores. */
const AT_ONCE = 2
const root = fileURLToPath(new URL('../..', import.meta.url))
const words = process.argv.slice(2)
const chosen = MUTATIONS.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)))
const failures: string[] = []
const began = performance.now()

// A scenario that fails on what is whole finds nothing.
const scenarios = [...new Set(chosen.map(({ scenario }) => scenario))]
await each(scenarios, async (scenario) => {
  const { broken, output } = await run(scenario)
  if (broken) failures.push(`${scenario} fails without any defect:\n${output}`)
  else console.log(`whole   ${scenario}`)
})
if (failures.length === 0) {
  await each(chosen, async (mutation) => {
    const { broken, output } = await run(mutation.scenario, mutation)
    // The first line that says what it saw.
    const seen = /^ {8}(.*)$/m.exec(output)?.[1] ?? ''
    if (broken && seen !== '')
      console.log(`found   ${mutation.name} (${mutation.scenario}: ${seen.slice(0, 90)})`)
    else failures.push(`${mutation.name}: ${mutation.scenario} did not find it\n${output}`)
  })
}
for (const failure of failures) console.error(`MISSED  ${failure}`)
console.log(
  `${chosen.length} defects, ${failures.length} missed, ${Math.round((performance.now() - began) / 1_000)} s`,
)
process.exitCode = failures.length > 0 || chosen.length === 0 ? 1 : 0

async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items]
  const worker = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

/** Runs a scenario in a copy of its own, with or without a defect. */
async function run(scenario: string, mutation?: Mutation): Promise<{ broken: boolean; output: string }> {
  const copy = mkdtempSync(join(tmpdir(), 'sluice-mutation-'))
  try {
    for (const part of ['src', 'test/faults', 'test/support', 'package.json', 'tsconfig.json']) {
      cpSync(join(root, part), join(copy, part), { recursive: true })
    }
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    if (mutation) mutate(copy, mutation)
    const args = ['--import', 'tsx', 'test/faults/run.ts', scenario, '--seed', '1']
    const child = spawn(process.execPath, args, { cwd: copy, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text: Buffer) => {
        output += text.toString()
      })
    }
    const code = await new Promise((resolve) => child.once('close', resolve))
    return { broken: code !== 0, output }
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

function mutate(copy: string, { name, file, find, replace }: Mutation): void {
  const path = join(copy, 'src', file)
  const text = readFileSync(path, 'utf8')
  const pieces = text.split(find)
  if (pieces.length !== 2) {
    throw new Error(
      `${name}: its text is ${pieces.length - 1} times in src/${file}, not once; say what it is now:\n${find}`,
    )
  }
  writeFileSync(path, pieces.join(replace))
}

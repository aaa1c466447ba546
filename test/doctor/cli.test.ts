// The doctor as a program: its exit statuses, its output, Ctrl-C; from the sources, and as npm installs what was built.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { drip, mistaken, STREAM } from '../support/doctor.ts'
import { findProgram, need } from '../support/need.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const CLI = join(root, 'src/cli.ts')

interface Ran {
  status: number | null
  out: string
  err: string
  took: number
}

function run(
  command: string,
  argv: string[],
  options: {
    cwd?: string
    env?: NodeJS.ProcessEnv
    started?: (kill: (signal: NodeJS.Signals) => void) => void
  } = {},
): Promise<Ran> {
  const { cwd = root, env = process.env, started } = options
  const start = performance.now()
  const child = spawn(command, argv, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 })
  let out = ''
  let err = ''
  child.stdout.on('data', (text) => {
    out += text
  })
  child.stderr.on('data', (text) => {
    err += text
  })
  started?.((signal) => child.kill(signal))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, out, err, took: performance.now() - start }))
  })
}

const cli = (...argv: string[]): Promise<Ran> => run(process.execPath, ['--import', 'tsx', CLI, ...argv])

async function good(t: TestContext): Promise<string> {
  const { url } = await mistaken(t, (req, res) => {
    res.writeHead(200, STREAM)
    let id = Number(req.headers['last-event-id'] ?? 10) || 10
    const next = (): string => {
      id += 1
      return `id: ${id}\ndata: ${id}\n\n`
    }
    drip(res, 50, () => next() + next(), next())
  })
  return url
}

describe('sluice doctor', { concurrency: 3, timeout: 120_000 }, () => {
  test('exit status 0, a table without colour into a pipe, and an end soon after its work', async (t) => {
    const { status, out, err, took } = await cli('doctor', await good(t), '--wait', '1')
    assert.equal(status, 0, out + err)
    assert.match(out, /^ok {7}status/m)
    assert.match(out, /0 errors, 0 warnings/)
    assert.ok(!out.includes('\x1b'))
    assert.ok(took < 15_000)
  })

  test('exit status 1 for warnings, 2 for errors, 3 when there is nothing to probe', async (t) => {
    const warned = await mistaken(t, (_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' })
      drip(res, 50, (n) => `data: ${n}\n\n`)
    })
    const wrong = await mistaken(t, (_req, res) => void res.writeHead(404).end())
    const all = await Promise.all([
      cli('doctor', warned.url, '--wait', '1'),
      cli('doctor', wrong.url, '--wait', '1'),
      cli('doctor', 'http://127.0.0.1:1/', '--wait', '1'),
      cli('doctor', 'nonsense'),
      cli('doctor'),
      cli('cure'),
      cli(),
    ])
    assert.deepEqual(
      all.map(({ status }) => status),
      [1, 2, 3, 3, 3, 3, 3],
    )
    assert.match(all[2]?.out ?? '', /error +unreachable/)
    assert.match(all[3]?.err ?? '', /The URL is "nonsense"/)
    assert.match(all[5]?.err ?? '', /no command "cure"/)
  })

  test('--json, --help', async (t) => {
    const [json, help, usage] = await Promise.all([
      cli('doctor', await good(t), '--wait', '1', '--json'),
      cli('doctor', '--help'),
      cli('--help'),
    ])
    const read = JSON.parse(json.out)
    assert.equal(read.exitStatus, json.status)
    assert.equal(read.observed.main.response.status, 200)
    assert.deepEqual([help.status, usage.status], [0, 0])
    for (const line of ['0  nothing worse', '1  warnings', '2  errors', '3  it could not run']) {
      assert.ok(help.out.includes(line), line)
    }
    assert.match(usage.out, /doctor URL/)
  })

  test('Ctrl-C ends it with what it knows', async (t) => {
    let asked: () => void = () => {}
    const arrived = new Promise<void>((resolve) => {
      asked = resolve
    })
    const { url } = await mistaken(t, (_req, res) => {
      res.writeHead(200, STREAM)
      drip(res, 50, (n) => `id: ${n}\ndata: ${n}\n\n`, ':\n\n')
      asked()
    })
    const { status, out, took } = await run(
      process.execPath,
      ['--import', 'tsx', CLI, 'doctor', url, '--wait', '100'],
      {
        started: (kill) => void arrived.then(() => setTimeout(() => kill('SIGINT'), 300)),
      },
    )
    assert.match(out, /info +interrupted/)
    assert.match(out, /ok +status/)
    assert.equal(status, 0)
    assert.ok(took < 20_000)
  })

  const script = findProgram('script')
  test('colour on a terminal only, and not with NO_COLOR', need('script', script), async (t) => {
    const url = await good(t)
    const inTerminal = (env: NodeJS.ProcessEnv): Promise<Ran> =>
      run(
        script as string,
        ['-qec', `'${process.execPath}' --import tsx '${CLI}' doctor ${url} --wait 1`, '/dev/null'],
        {
          env: { ...process.env, NO_COLOR: undefined, TERM: 'xterm', ...env },
        },
      )
    const [coloured, plain, dumb] = await Promise.all([
      inTerminal({}),
      inTerminal({ NO_COLOR: '1' }),
      inTerminal({ TERM: 'dumb' }),
    ])
    assert.ok(coloured.out.includes('\x1b[32mok'))
    assert.ok(!plain.out.includes('\x1b'))
    assert.ok(!dumb.out.includes('\x1b'))
  })

  test('as built, packed and installed by npm: a bin that runs', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-pack-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    const done = async (command: string, argv: string[], cwd?: string): Promise<Ran> => {
      const ran = await run(command, argv, cwd === undefined ? {} : { cwd })
      assert.equal(ran.status, 0, `${command} ${argv.join(' ')}: ${ran.err}${ran.out}`)
      return ran
    }
    await done('npm', ['run', 'build', '--', '--outDir', join(folder, 'dist')])
    for (const file of ['package.json', 'README.md', 'LICENSE'])
      copyFileSync(join(root, file), join(folder, file))

    const built = join(folder, 'dist/cli.js')
    assert.equal(readFileSync(built, 'utf8').split('\n')[0], '#!/usr/bin/env node')
    const url = await good(t)
    await done(process.execPath, [built, 'doctor', url, '--wait', '1'])

    const packed = await done('npm', ['pack', '--ignore-scripts', '--json'], folder)
    const [{ filename }] = JSON.parse(packed.out)
    const home = mkdtempSync(join(tmpdir(), 'sluice-home-'))
    t.after(() => rmSync(home, { recursive: true, force: true }))
    writeFileSync(join(home, 'package.json'), '{ "private": true }\n')
    await done('npm', ['install', '--offline', '--no-audit', '--no-fund', join(folder, filename)], home)
    const bin = join(home, 'node_modules/.bin/sluice')
    assert.ok((statSync(bin).mode & 0o111) !== 0)
    await done(bin, ['doctor', url, '--wait', '1'], home)
    await done('npx', ['--no-install', 'sluice', 'doctor', '--help'], home)
  })
})

// The package as it is published: what is in it, whether every tool and every way of importing finds it, and how large its doors are.

import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { publint } from 'publint'
import { built, graph } from '../support/built.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const manifest: { exports: Record<string, string | { types: string; default: string }>; version: string } =
  JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const doors = Object.entries(manifest.exports).filter(([name]) => name !== './package.json')

/** A copy of the project with nothing but what is published from it, and its build. */
let project = ''
/** A project that has the tarball installed. */
let consumer = ''
let packed: string[] = []

const folder = mkdtempSync(join(tmpdir(), 'sluice-pack-'))
after(() => rmSync(folder, { recursive: true, force: true }))

before(() => {
  project = join(folder, 'project')
  mkdirSync(project)
  for (const file of ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md'])
    cpSync(join(root, file), join(project, file))
  cpSync(join(built(), 'sluice'), join(project, 'dist'), { recursive: true })
  // The build has been made above.
  const npm = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]
  const [pack] = JSON.parse(execFileSync('npm', npm, { cwd: project, encoding: 'utf8' }))
  packed = pack.files.map(({ path }: { path: string }) => path)
  consumer = join(folder, 'consumer')
  const installed = join(consumer, 'node_modules/sluice')
  mkdirSync(installed, { recursive: true })
  execFileSync('tar', ['-xzf', join(folder, pack.filename), '--strip-components=1', '-C', installed])
})

test('it holds the build, its declarations, and nothing else', () => {
  const others = packed.filter((path) => !/^dist\/[\w/-]+\.(js|d\.ts)$/.test(path)).sort()
  assert.deepEqual(others, ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'])
  for (const path of packed.filter((one) => one.endsWith('.js'))) {
    assert.ok(packed.includes(path.replace(/js$/, 'd.ts')), `${path} has no declarations`)
  }
  for (const [name, door] of doors) {
    assert.ok(typeof door === 'object', name)
    for (const target of Object.values(door))
      assert.ok(packed.includes(target.slice(2)), `${name} → ${target}`)
  }
})

test('it depends on nothing', () => {
  const { dependencies, peerDependencies, optionalDependencies } = JSON.parse(
    readFileSync(join(consumer, 'node_modules/sluice/package.json'), 'utf8'),
  )
  assert.deepEqual([dependencies, peerDependencies, optionalDependencies], [undefined, undefined, undefined])
})

test('publint has nothing to say', async () => {
  const { messages } = await publint({ pkgDir: join(consumer, 'node_modules/sluice'), strict: true })
  assert.deepEqual(messages, [])
})

test('arethetypeswrong has nothing to say', async () => {
  const attw = join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js')
  const tarball = execFileSync('npm', ['pack', '--ignore-scripts', '--silent'], {
    cwd: project,
    encoding: 'utf8',
  })
  const args = [attw, '--profile', 'esm-only', '--format', 'json', join(project, tarball.trim())]
  const { stdout } = await run(process.execPath, args, { maxBuffer: 100_000_000 })
  const { analysis } = JSON.parse(stdout)
  assert.deepEqual(Object.keys(analysis.entrypoints).sort(), Object.keys(manifest.exports).sort())
  // "Ignored" by the profile: require of ESM, which Node does since 20.19, and resolution of before 2022.
  const problems = analysis.problems.filter(({ kind, resolutionKind }: Record<string, string>) => {
    const ignored = kind === 'NoResolution' && resolutionKind === 'node10'
    return !ignored && !(kind === 'CJSResolvesToESM' && resolutionKind === 'node16-cjs')
  })
  assert.deepEqual(problems, [])
})

test('every door is imported, and required, from the installed package', async () => {
  const names = doors.map(([name]) => name.replace('.', 'sluice'))
  const wanted: Record<string, string> = {
    sluice: 'createHub',
    'sluice/web': 'createHub',
    'sluice/client': 'connect',
    'sluice/event-stream': 'encode',
    'sluice/bus/memory': 'memoryBus',
    'sluice/bus/cluster': 'clusterBus',
    'sluice/bus/redis': 'redisBus',
    'sluice/bus/nats': 'natsBus',
    'sluice/bus/kafka': 'kafkaBus',
    'sluice/bus/failover': 'failover',
    'sluice/bus/presence': 'presence',
    'sluice/bus/presence-redis': 'redisPresence',
    'sluice/bus/presence-nats': 'natsPresence',
  }
  assert.deepEqual(names, Object.keys(wanted))
  const check = names.map(
    (name, n) =>
      `if (typeof m${n}[${JSON.stringify(wanted[name])}] !== 'function') throw new Error(${JSON.stringify(name)})`,
  )
  const imports = names.map((name, n) => `import * as m${n} from '${name}'`)
  const requires = names.map((name, n) => `const m${n} = require('${name}')`)
  writeFileSync(join(consumer, 'import.mjs'), [...imports, ...check].join('\n'))
  writeFileSync(join(consumer, 'require.cjs'), [...requires, ...check].join('\n'))
  await run(process.execPath, ['import.mjs'], { cwd: consumer })
  await run(process.execPath, ['require.cjs'], { cwd: consumer })
})

test('its declarations stand by themselves, under every check of the compiler', async () => {
  const imports = doors.map(([name], n) => `export * as m${n} from '${name.replace('.', 'sluice')}'`)
  writeFileSync(join(consumer, 'index.ts'), imports.join('\n'))
  const config = {
    compilerOptions: {
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      noEmit: true,
      target: 'es2022',
      module: 'nodenext',
      lib: ['es2023', 'dom', 'dom.iterable', 'dom.asynciterable'],
      types: ['node'],
      typeRoots: [join(root, 'node_modules/@types')],
    },
    files: ['index.ts'],
  }
  writeFileSync(join(consumer, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(consumer, 'tsconfig.json'), JSON.stringify(config))
  await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', consumer]).catch(
    (error) => {
      throw new Error(error.stdout)
    },
  )
})

test('nothing has a side effect: a bundler drops what is not used', async () => {
  const imports = doors.map(([name]) => `import '${name.replace('.', 'sluice')}'`)
  const { text } = await bundle(imports.join('\n'))
  assert.equal(text.trim(), '')
})

test('importing does nothing: no handle is opened, no global is made', async () => {
  const imports = doors.map(([name]) => `await import('${name.replace('.', 'sluice')}')`)
  writeFileSync(
    join(consumer, 'idle.mjs'),
    `const before = Object.getOwnPropertyNames(globalThis).length
${imports.join('\n')}
console.log(JSON.stringify([Object.getOwnPropertyNames(globalThis).length - before, process.getActiveResourcesInfo().filter((one) => /Timeout|Immediate|TCP|Message/.test(one))]))
`,
  )
  const { stdout } = await run(process.execPath, ['idle.mjs'], { cwd: consumer })
  assert.deepEqual(JSON.parse(stdout), [0, []])
})

test('each door is as small as the README says', async () => {
  const stated = new Map(
    [
      ...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/^\| `(sluice[\w/-]*)` *\| ([\d.]+) KB/gm),
    ].map(([, name = '', size]) => [name, Number(size)]),
  )
  for (const [door] of doors) {
    const name = door.replace('.', 'sluice')
    const { text } = await bundle(`export * from '${name}'`)
    const size = gzipSync(text).length / 1_000
    const said = stated.get(name)
    assert.ok(said !== undefined, `README.md does not say how large ${name} is: ${size.toFixed(1)} KB`)
    assert.ok(size <= said && size >= said * 0.85, `${name} is ${size.toFixed(1)} KB, README.md says ${said}`)
  }
})

/** What a bundler makes of a module: minified, what Node brings left out. */
async function bundle(contents: string): Promise<{ text: string }> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: consumer, loader: 'js' },
    bundle: true,
    minify: true,
    write: false,
    logLevel: 'silent',
    format: 'esm',
    platform: 'neutral',
    mainFields: [],
    external: ['node:*'],
  })
  const [file] = outputFiles
  if (!file) throw new Error('nothing was built')
  return file
}

test('the graphs of all doors are in the package', () => {
  for (const [, door] of doors) {
    if (typeof door !== 'object') continue
    const { files } = graph(join(consumer, 'node_modules/sluice'), door.default)
    for (const file of files) assert.ok(packed.includes(file), file)
  }
})

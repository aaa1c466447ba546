// The client as browsers run it: the built modules, unbundled, in real Chromium.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { openPage } from '../support/chromium.ts'
import { findChromium, need } from '../support/need.ts'
import { serve } from '../support/server.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Builds the package as it is published, into `folder`. */
async function build(folder: string): Promise<void> {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  await promisify(execFile)(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', folder], {
    cwd: root,
  })
}

const PAGE = `<!doctype html><title>test</title><script type="module">
  import { connect } from '/dist/client.js'
  window.start = (name, url, options = {}) => {
    const log = { got: [], resumes: [], retries: [], ended: false }
    window[name] = log
    const stream = connect(url, {
      backoff: { base: 50, cap: 200 },
      onOpen: ({ resume }) => log.resumes.push(resume ?? null),
      onRetry: ({ cause }) => log.retries.push(cause.code),
      ...options,
    })
    log.stream = stream
    ;(async () => {
      try {
        for await (const event of stream) log.got.push(event.gap ? event.gap.reason : event.data)
        log.ended = true
      } catch (error) {
        log.error = error.code ?? error.name
      }
    })()
  }
  window.ready = true
</script>`

test('in Chromium: relative URLs, exact resume, ids beyond Latin-1, other origins, POST, and the end', {
  ...need('Chromium', findChromium()),
  timeout: 120_000,
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-dist-'))
  t.after(() => rm(folder, { recursive: true }))
  await build(folder)

  const asked: string[] = []
  const { hub, server, url } = await serve(t, async (hub, req, res) => {
    if (req.url === '/') return void res.setHeader('Content-Type', 'text/html').end(PAGE)
    if (req.url?.startsWith('/dist/')) {
      const file = await readFile(join(folder, req.url.slice(6)))
      return void res.setHeader('Content-Type', 'text/javascript').end(file)
    }
    asked.push(`${req.method} ${req.url}`)
    if (req.url === '/missing') return void res.writeHead(404).end('nothing here')
    hub.connect(req, res, { channels: ['a'], methods: ['GET', 'POST'] })
  })
  const other = await serve(t, (hub, req, res) => {
    asked.push(`${req.method} other`)
    hub.connect(req, res, { channels: ['a'], cors: true, lastEventIdParam: 'after' })
  })
  const page = await openPage(t)
  page.setDefaultTimeout(20_000)
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  await page.goto(url)
  await page.waitForFunction('window.ready')
  const got = (name: string): Promise<unknown> => page.evaluate(`${name}.got`)
  const reached = (what: string): Promise<unknown> => page.waitForFunction(what)

  await page.evaluate(`start('same', 'events')`)
  await reached('same.resumes.length === 1')
  await hub.publish('a', { data: '1', id: 'заказ №7 – ☃ 𝄞' })
  await reached('same.got.length === 1')
  server.closeAllConnections()
  await hub.publish('a', { data: '2' })
  await hub.publish('a', { data: '3' })
  await reached('same.got.length === 3')
  assert.deepEqual(await got('same'), ['1', '2', '3'])
  assert.deepEqual(await page.evaluate('same.resumes'), ['none', 'full'])

  // Another origin: the header asks for a preflight, the parameter for none.
  for (const [name, options] of [
    ['header', '{}'],
    ['param', `{ lastEventIdParam: 'after' }`],
  ]) {
    asked.length = 0
    await page.evaluate(`start('${name}', '${other.url}', ${options})`)
    await reached(`${name}.resumes.length === 1`)
    await other.hub.publish('a', { data: 'x' })
    await reached(`${name}.got.length === 1`)
    other.server.closeAllConnections()
    await other.hub.publish('a', { data: 'y' })
    await reached(`${name}.got.length === 2`)
    assert.deepEqual(await got(name ?? ''), ['x', 'y'])
    assert.deepEqual(await page.evaluate(`${name}.resumes`), ['none', 'full'])
    const preflights = asked.filter((one) => one === 'OPTIONS other').length
    assert.equal(preflights > 0, name === 'header', asked.join(', '))
    await page.evaluate(`${name}.stream.close()`)
    await reached(`${name}.ended`)
  }

  await page.evaluate(`start('missing', '/missing')`)
  await reached('missing.error')
  assert.equal(await page.evaluate('missing.error'), 'SLUICE_REFUSED')

  asked.length = 0
  await page.evaluate(`start('post', '/post', { body: 'why' })`)
  await reached('post.resumes.length === 1')
  assert.deepEqual(asked, ['POST /post'])
  await hub.channel('a').end()
  await reached('same.ended && post.ended')
  assert.deepEqual(await got('post'), [''])
  assert.equal(hub.stats().connections, 0)
  assert.deepEqual(complaints, [])
})

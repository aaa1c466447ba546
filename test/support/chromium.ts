// Real Chromium, headless, with an empty profile that goes away with the test.

import type { TestContext } from 'node:test'
import { type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { findChromium } from './need.ts'

const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** A page of a browser that is closed after the test. Call it only where `findChromium()` has found one. */
export async function openPage(
  t: Pick<TestContext, 'after'>,
  options: BrowserContextOptions = {},
): Promise<Page> {
  const executablePath = findChromium()
  if (!executablePath) throw new Error('no Chromium here; guard the test with need()')
  const browser = await chromium.launch({ executablePath, args: ARGS, timeout: 60_000 })
  t.after(() => browser.close())
  return browser.newPage(options)
}

// The page's files, read when they are asked for: an edit shows at the next reload. A fixed list, so that no path
// leads anywhere else.

import { readFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { SECURITY_HEADERS } from './http.ts'

const HTML = 'text/html; charset=utf-8'
const CSS = 'text/css; charset=utf-8'
const SCRIPT = 'text/javascript; charset=utf-8'

const FILES: ReadonlyMap<string, readonly [file: string, type: string]> = new Map([
  ['/', ['index.html', HTML]],
  ['/lab.css', ['lab.css', CSS]],
  ['/lab.js', ['lab.js', SCRIPT]],
  ['/charts.js', ['charts.js', SCRIPT]],
  ['/feed.js', ['feed.js', SCRIPT]],
  ['/stream.js', ['stream.js', SCRIPT]],
  ['/panels.js', ['panels.js', SCRIPT]],
  ['/actions.js', ['actions.js', SCRIPT]],
  ['/diagnosis.js', ['diagnosis.js', SCRIPT]],
  ['/dom.js', ['dom.js', SCRIPT]],
])

/** Serves the file behind `path` once `allowed` has not thrown; `false` when there is none. */
export async function servePage(path: string, res: ServerResponse, allowed: () => void): Promise<boolean> {
  const found = FILES.get(path)
  if (!found) return false
  allowed()
  const [file, type] = found
  const body = await readFile(new URL(`page/${file}`, import.meta.url))
  res.writeHead(200, {
    'Content-Type': type,
    'Content-Length': body.length,
    'Cache-Control': 'no-cache',
    ...SECURITY_HEADERS,
  })
  res.end(body)
  return true
}

import { resolve } from 'node:path'
import type { NextConfig } from 'next'

// The library's sources lie above this folder, and 'sluice/web' is mapped to them in tsconfig.json.
const root = resolve(import.meta.dirname, '../../..')

export default {
  // The default, said aloud: gzip for what may be compressed, which a stream with `no-transform` may not.
  compress: true,
  turbopack: { root },
} satisfies NextConfig

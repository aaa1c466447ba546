// A content coding undone as the bytes come, in the order and at the moment in which they can be.

import {
  type BrotliDecompress,
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  type Gunzip,
  type Inflate as Inflater,
} from 'node:zlib'

/** What is asked for with Accept-Encoding. Browsers offer more, but these are what servers choose. */
export const ACCEPT_ENCODING = 'gzip, deflate, br'

/** Each piece that comes out costs a turn through the thread pool. */
const CHUNK = 65_536

export class Inflate {
  readonly #stream: BrotliDecompress | Gunzip | Inflater | undefined

  /** @param onFault called when the bytes are not of this coding, or it is one that is not known */
  constructor(coding: string, onBytes: (bytes: Uint8Array) => void, onFault: () => void) {
    this.#stream = make(coding)
    if (!this.#stream) onFault()
    this.#stream?.on('data', onBytes)
    this.#stream?.on('error', onFault)
  }

  write(bytes: Uint8Array): void {
    if (this.#stream?.destroyed === false) this.#stream.write(bytes)
  }

  /** Settles when all that was written has come out, or never will. */
  finished(): Promise<void> {
    const stream = this.#stream
    if (!stream || stream.destroyed) return Promise.resolve()
    return new Promise((resolve) => {
      stream.once('close', resolve)
      stream.once('end', resolve)
      stream.end()
    })
  }

  destroy(): void {
    this.#stream?.destroy()
  }
}

/** A stream that is cut short is decoded as far as it goes: the cut is told by how the response ended. */
function make(coding: string) {
  const { Z_SYNC_FLUSH, BROTLI_OPERATION_FLUSH } = constants
  const zlib = { flush: Z_SYNC_FLUSH, finishFlush: Z_SYNC_FLUSH, chunkSize: CHUNK }
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip(zlib)
    case 'deflate':
      return createInflate(zlib)
    case 'br':
      return createBrotliDecompress({ flush: BROTLI_OPERATION_FLUSH, finishFlush: BROTLI_OPERATION_FLUSH })
    default:
      return undefined
  }
}

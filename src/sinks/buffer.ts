// Node's transports want Buffers.

let lastBytes: Uint8Array | undefined
let lastBuffer: Buffer | undefined

/**
 * The same memory as a Buffer. node:net wraps every Uint8Array in a new one; the same bytes go to thousands of
 * connections in a row, so the last wrapping is kept.
 */
export function bufferOf(bytes: Uint8Array): Buffer {
  if (bytes !== lastBytes || !lastBuffer) {
    lastBytes = bytes
    lastBuffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
  return lastBuffer
}

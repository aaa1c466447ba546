// Putting bytes together without Buffer, which not every platform has.

/** One array of all chunks; the only chunk itself when there is one. */
export function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const [only] = chunks
  if (only && chunks.length === 1) return only
  let size = 0
  for (const chunk of chunks) size += chunk.length
  const bytes = new Uint8Array(size)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return bytes
}

/** A frame of this size is written alone, as it is: copied into a batch, it would be held once more for each reader that stalls on it. */
export const LARGE = 16_384

// Inputs at random, from pieces that matter to the format, by a seed.

export type Random = () => number

export const pick = <T>(random: Random, list: readonly T[]): T =>
  list[Math.floor(random() * list.length)] as T // the lists are not empty

/** Cuts bytes at random places, empty parts and single bytes included. */
export function cut(random: Random, bytes: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = []
  const most = pick(random, [1, 2, 3, 8, 64, 4_096])
  for (let at = 0; at < bytes.length; ) {
    const length = Math.floor(random() * (most + 1))
    parts.push(bytes.subarray(at, at + length))
    at += length
  }
  return parts
}

/** What was good for something once, changed a little: bytes dropped, doubled, replaced, pieces of another spliced in. */
export function mutate(random: Random, from: Uint8Array, pieces: readonly Uint8Array[]): Uint8Array {
  let bytes = Buffer.from(from)
  for (let changes = 1 + Math.floor(random() * 6); changes > 0; changes -= 1) {
    const at = Math.floor(random() * (bytes.length + 1))
    const length = Math.floor(random() * 8)
    const [before, after] = [bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + length))]
    const middle = pick(random, [
      Buffer.alloc(0),
      Buffer.from(pick(random, pieces)),
      Buffer.from([Math.floor(random() * 256)]),
      Buffer.concat([bytes.subarray(at, at + length), bytes.subarray(at, at + length)]),
    ])
    bytes = Buffer.concat([before, middle, after])
  }
  return bytes
}

/** Pieces in a row. */
export function soup(random: Random, pieces: readonly Uint8Array[], most: number): Uint8Array {
  return Buffer.concat(Array.from({ length: Math.floor(random() * most) }, () => pick(random, pieces)))
}

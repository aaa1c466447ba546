// Positions of the hub's one sequence, and the ids that name them on the wire: `<epoch>-<sequence>`.
// The epoch names one life of the log, so that an id from an earlier life is a detected miss, never a wrong hit.

/** Digits and lower-case letters and a hyphen only: none of them makes a browser ask for CORS preflight (Fetch, "CORS-unsafe request-header byte"). */
const MINTED = /^([0-9a-z]{10})-(0|[1-9][0-9]{0,15})$/
const EPOCH_LENGTH = 10
const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz'

/** What an id says: a sequence number of this life, one of another life, or nothing that this hub could have minted. */
export type ParsedId = { kind: 'here'; sequence: number } | { kind: 'epoch' } | { kind: 'unknown' }

/** A new name for one life of a log. Fifty random bits: two lives of one server do not meet. */
export function newEpoch(): string {
  const random = crypto.getRandomValues(new Uint8Array(EPOCH_LENGTH))
  let epoch = ''
  for (const byte of random) epoch += ALPHABET[byte % ALPHABET.length]
  return epoch
}

/** The epoch of a bus as it goes into ids: as it is where it has their form, or ten characters that stand for it. */
export function epochName(epoch: string): string {
  if (/^[0-9a-z]{10}$/.test(epoch)) return epoch
  // FNV-1a over 64 bits: short, without dependencies, and even enough to keep apart the few epochs that one bus lives through.
  let hash = 0xcbf29ce484222325n
  for (const byte of new TextEncoder().encode(epoch)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  }
  return hash.toString(36).padStart(EPOCH_LENGTH, '0').slice(-EPOCH_LENGTH)
}

export function mintId(epoch: string, sequence: number): string {
  return `${epoch}-${sequence}`
}

export function parseId(epoch: string, id: string): ParsedId {
  const match = MINTED.exec(id)
  if (!match) return { kind: 'unknown' }
  if (match[1] !== epoch) return { kind: 'epoch' }
  const sequence = Number(match[2])
  return Number.isSafeInteger(sequence) ? { kind: 'here', sequence } : { kind: 'unknown' }
}

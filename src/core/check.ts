// The few questions that every options object is asked. Each answers with the value or throws a coded error that
// names the option, what was given, and the rule.

import { SluiceError, shown } from './errors.ts'

function refuse(name: string, value: unknown, rule: string): never {
  throw new SluiceError('SLUICE_BAD_OPTION', `${name} is ${shown(value)}; it must be ${rule}.`)
}

/** An options argument: an object, or nothing. A list of names known catches misspellings, which would be silent. */
export function checkOptions<T extends object>(name: string, value: T, known: readonly string[]): T {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(name, value, 'an object')
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) {
      throw new SluiceError(
        'SLUICE_BAD_OPTION',
        `${name} has an option ${shown(key)}, which does not exist; the options are ${known.join(', ')}.`,
      )
    }
  }
  return value
}

export function checkInteger(name: string, value: unknown, least: number): number {
  if (!Number.isSafeInteger(value) || (value as number) < least) {
    refuse(name, value, `a whole number of at least ${least}`)
  }
  return value as number // tested just above
}

/** A span of time in milliseconds; `Infinity` where `endless` says that it may be switched off. */
export function checkMilliseconds(name: string, value: unknown, least: number, endless: boolean): number {
  if (typeof value !== 'number' || !(value >= least) || (value === Infinity && !endless)) {
    const off = endless ? ', or Infinity to switch it off' : ''
    refuse(name, value, `a number of milliseconds of at least ${least}${off}`)
  }
  return value
}

/** The longest time that the timers of every platform know, some 24 days. */
const LONGEST = 2_147_483_647

/** A span of time in milliseconds that a timer waits for, or a client is told. */
export function checkWait(name: string, value: unknown): number {
  if (typeof value !== 'number' || !(value >= 0) || value > LONGEST) {
    refuse(name, value, `a number of milliseconds from 0 to ${LONGEST}`)
  }
  return value
}

export function checkOneOf<T extends string>(name: string, value: unknown, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value)
  if (found === undefined) refuse(name, value, `one of ${allowed.map((one) => `'${one}'`).join(', ')}`)
  return found
}

export function checkFunction<T>(name: string, value: T): T {
  if (typeof value !== 'function') refuse(name, value, 'a function')
  return value
}

/** Half a surrogate pair is no character: on an engine that speaks UTF-8 such names would all be one. */
const NOT_IN_NAMES = /[\p{Cc}\p{Cs}]/u

export function checkChannelName(value: unknown): string {
  if (typeof value !== 'string' || value.length === 0 || value.length > 256 || NOT_IN_NAMES.test(value)) {
    throw new SluiceError(
      'SLUICE_BAD_CHANNEL',
      `${shown(value)} is not a channel name; use a string of 1 to 256 characters without control characters and lone surrogates.`,
    )
  }
  return value
}

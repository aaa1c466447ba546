// What a tail of a bus has told, to be waited for.

import type { Entry, TailListener } from '../../src/core/bus.ts'
import { within } from './fetch-client.ts'

export type Told =
  | { readonly is: 'up'; readonly epoch: string; readonly head: number }
  | { readonly is: 'down'; readonly cause: unknown }
  | { readonly is: 'entry'; readonly entry: Entry }

export interface Heard {
  readonly listener: TailListener
  readonly entries: Entry[]
  downs: number
  /** The next of a kind since the last that was asked for, of any kind; what lies between is passed over. */
  next<Is extends Told['is']>(
    is: Is,
    which?: (told: Extract<Told, { is: Is }>) => boolean,
  ): Promise<Extract<Told, { is: Is }>>
  until(condition: (heard: Heard) => boolean, what: string): Promise<void>
}

export function heard(): Heard {
  const told: Told[] = []
  let passed = 0
  let wake = () => {}
  const hear = (one: Told) => {
    told.push(one)
    wake()
  }
  const more = () =>
    new Promise<void>((resolve) => {
      wake = resolve
    })
  const self: Heard = {
    entries: [],
    downs: 0,
    listener: {
      up: (state) => hear({ is: 'up', ...state }),
      down(cause) {
        self.downs++
        hear({ is: 'down', cause })
      },
      entry(entry) {
        self.entries.push(entry)
        hear({ is: 'entry', entry })
      },
    },
    next: <Is extends Told['is']>(is: Is, which?: (it: Extract<Told, { is: Is }>) => boolean) =>
      within(
        (async () => {
          for (;;) {
            for (; passed < told.length; passed++) {
              const one = told[passed] as Extract<Told, { is: Is }> // compared in the next line
              if (one.is === is && (!which || which(one))) {
                passed++
                return one
              }
            }
            await more()
          }
        })(),
        `the tail to tell "${is}"`,
      ),
    until: (condition, what) =>
      within(
        (async () => {
          while (!condition(self)) await more()
        })(),
        what,
      ),
  }
  return self
}

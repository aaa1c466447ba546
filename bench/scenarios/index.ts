// The scenarios by name.

import { bus } from './bus.ts'
import { check } from './check.ts'
import { codec } from './codec.ts'
import { cores } from './cores.ts'
import { fanout } from './fanout.ts'
import { idle } from './idle.ts'
import { paced } from './paced.ts'
import type { Scenario } from './scenario.ts'
import { slow } from './slow.ts'
import { soak } from './soak.ts'
import { storm } from './storm.ts'

export const SCENARIOS: readonly Scenario[] = [
  fanout,
  paced,
  idle,
  slow,
  storm,
  soak,
  codec,
  cores,
  bus,
  check,
]

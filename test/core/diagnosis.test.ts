// Findings from populations made of seeds: the right one where there is a cause, none where there is none.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { diagnose, type Finding, type FindingCode } from '../../src/core/diagnosis.ts'
import { GENERATION, Lifetimes } from '../../src/core/lifetimes.ts'
import { Dice, type Life, live } from '../support/population.ts'

const SEEDS = 200
/** The figures that each kind of finding came with. */
const figures = new Map<string, string[]>()
const MINUTE = 60_000

type Made = Omit<Life, 'dice' | 'span'> & { span?: number; value?: number }

/** For every seed exactly this finding, its value within 5 %. Whatever cuts many at one moment may be a storm as well. */
function always(name: string, code: FindingCode, make: (dice: Dice) => Made): void {
  test(`${name}: ${code}, for ${SEEDS} seeds`, (t) => {
    let worst = 0
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const dice = new Dice(seed)
      const made = make(dice)
      const { lifetimes, now, closes } = live({ dice, span: 20 * MINUTE, ...made })
      const found = diagnose(lifetimes.evidence(now), made).filter((one) => one.code !== 'storm')
      const told = `seed ${seed}, ${closes} closes, ${made.value} ms: ${JSON.stringify(found)}`
      assert.deepEqual(
        found.map((one) => one.code),
        [code],
        told,
      )
      figures.set(code, Object.keys(found[0]?.evidence ?? {}))
      if (made.value === undefined) continue
      const error = Math.abs((found[0]?.evidence.valueMs ?? 0) / made.value - 1)
      assert.ok(error <= 0.05, told)
      worst = Math.max(worst, error)
    }
    t.diagnostic(`the value at most ${(worst * 100).toFixed(1)} % beside`)
  })
}

const TIMEOUTS = [5_000, 15_000, 30_000, 50_000, 55_000, 60_000, 100_000]
const never = () => Infinity

always('a proxy ends silent streams', 'idle-timeout', (dice) => {
  const value = dice.pick(TIMEOUTS)
  return { clients: 60, heartbeat: Infinity, leaves: never, idle: () => value + dice.exponential(20), value }
})

always('a proxy ends silent streams that all opened at once', 'idle-timeout', (dice) => {
  const value = dice.pick(TIMEOUTS)
  const idle = () => value + dice.exponential(20)
  return { clients: 60, arrive: 500, heartbeat: Infinity, leaves: never, idle, value }
})

always('half to four fifths leave by themselves before an idle timeout', 'idle-timeout', (dice) => {
  const value = dice.pick(TIMEOUTS)
  return {
    clients: 120,
    behind: dice.between(0.3, 0.5),
    heartbeat: Infinity,
    leaves: () => dice.exponential(value * 2),
    idle: () => value * dice.between(0.99, 1.01),
    value,
  }
})

always('events now and then do not hide an idle timeout', 'idle-timeout', (dice) => {
  const value = dice.pick(TIMEOUTS)
  return {
    clients: 120,
    heartbeat: Infinity,
    leaves: () => dice.exponential(value),
    events: () => dice.exponential(value * 0.5),
    idle: () => value * dice.between(1, 1.01),
    value,
  }
})

always('everybody gets the same events, and all are silent together', 'idle-timeout', (dice) => {
  const value = dice.pick([15_000, 30_000])
  const idle = () => value + dice.exponential(20)
  return { clients: 80, heartbeat: Infinity, broadcast: 45_000, leaves: never, idle, value }
})

always('the heartbeat is longer than the idle timeout', 'idle-timeout', (dice) => {
  const value = dice.between(4_000, 17_000)
  return {
    clients: 100,
    heartbeat: 20_000,
    leaves: () => dice.exponential(60_000),
    events: () => dice.exponential(10_000),
    idle: () => value + dice.exponential(20),
    value,
  }
})

always('a proxy ends every stream at one age, with heartbeats only', 'maximum-duration', (dice) => {
  const value = dice.between(25_000, 300_000)
  const limit = () => value + dice.exponential(20)
  return { clients: 150, heartbeat: 20_000, leaves: () => dice.exponential(2 * value), limit, value }
})

always('a proxy ends every stream at one age, with events', 'maximum-duration', (dice) => {
  const value = dice.pick([15_000, 29_000, 30_000, 60_000, 100_000, 300_000])
  return {
    clients: 150,
    heartbeat: 20_000,
    leaves: () => dice.exponential(value),
    ...dice.pick([{ broadcast: 7_000 }, { events: () => dice.exponential(3_000) }]),
    limit: () => value * dice.between(0.99, 1.01),
    value,
  }
})

always('pages give up since nothing arrives', 'held-back', (dice) => {
  const value = dice.between(2_000, 60_000)
  return {
    clients: 100,
    heartbeat: 20_000,
    leaves: () => dice.exponential(2 * value),
    ...dice.pick([{}, { events: () => dice.exponential(3_000) }]),
    limit: () => value * dice.between(1, 1.02),
    resume: false,
    value,
  }
})

always('clients turn away', 'rejected', (dice) => ({
  clients: 30,
  heartbeat: 20_000,
  leaves: () => (dice.chance(0.8) ? dice.exponential(100) : dice.exponential(60_000)),
}))

always('readers are too slow', 'stalls', (dice) => ({
  clients: 200,
  heartbeat: 20_000,
  leaves: () => dice.exponential(120_000),
  reasons: { stalled: 0.2, overflow: 0.15 },
}))

always('peers vanish', 'vanished', (dice) => ({
  clients: 200,
  heartbeat: 20_000,
  leaves: () => dice.exponential(120_000),
  reasons: { dead: 0.4 },
}))

always('a middleware compresses', 'compressed', (dice) => ({
  clients: 40,
  heartbeat: 20_000,
  leaves: () => dice.exponential(120_000),
  encoding: 'gzip',
}))

test('healthy populations give no finding, for 2,000 seeds', () => {
  let closed = 0
  for (let seed = 1; seed <= 2_000; seed += 1) {
    const life = healthy(new Dice(seed))
    const { lifetimes, now, closes } = live(life)
    closed += closes
    const found: Finding[] = diagnose(lifetimes.evidence(now), life)
    assert.deepEqual(found, [], `seed ${seed}, ${closes} closes`)
  }
  assert.ok(closed > 500_000, `${closed} closes`)
})

/** Any size, any way to leave, any rhythm of events, phones, routers that fail, and deploys; but nothing that cuts by a clock. */
function healthy(dice: Dice): Life {
  const span = dice.between(2, 29) * MINUTE
  const mean = dice.factor(3_000, 600_000)
  const sigma = dice.between(0.5, 2)
  const clients = Math.max(5, Math.min(1_500, Math.round((dice.factor(20, 4_000) * mean) / span)))
  const gap = dice.factor(mean / 50, 60_000)
  return {
    dice,
    span,
    clients,
    heartbeat: dice.pick([5_000, 20_000, 30_000, 55_000, Infinity]),
    leaves: dice.pick([
      () => dice.exponential(mean),
      () => dice.logNormal(mean, sigma),
      () => dice.between(0, 2 * mean),
      () => (dice.chance(0.5) ? dice.exponential(mean) : dice.logNormal(mean / 3, sigma)),
    ]),
    ...(dice.chance(0.5) && { events: () => dice.exponential(gap) }),
    ...(dice.chance(0.4) && { broadcast: dice.factor(mean / 30, 120_000) }),
    ...(dice.chance(0.3) && {
      cuts: Array.from({ length: 1 + Math.floor(dice.random() * 4) }, () => dice.between(0, span)).sort(
        (a, b) => a - b,
      ),
    }),
    ...(dice.chance(0.3) && { arrive: 10_000 }),
    returns: () => dice.between(1_000, 20_000),
    reasons: dice.pick([{}, { dead: 0.06, stalled: 0.03 }, { rotated: 0.3 }, { error: 0.01, dead: 0.1 }]),
  }
}

test('our own ends are no evidence: maxAge at one age, a deploy that ends all at once', () => {
  const lifetimes = new Lifetimes(0)
  for (let n = 0; n < 1_000; n += 1) {
    lifetimes.closed({ reason: 'rotated', age: 60_000, silence: 5_000, events: 0, bytes: 1 }, n * 500)
  }
  for (let n = 0; n < 1_000; n += 1) {
    lifetimes.closed({ reason: 'shutdown', age: 30_000, silence: 30_000, events: 0, bytes: 1 }, 500_000)
  }
  assert.deepEqual(diagnose(lifetimes.evidence(500_000), { heartbeat: 20_000 }), [])
})

/** Closes of an idle timeout of 60 s, one a second. */
function idle(count: number): Lifetimes {
  const lifetimes = new Lifetimes(0)
  for (let n = 0; n < count; n += 1) {
    lifetimes.opened({ resumed: n > 0, told: true, encoding: undefined }, n * 1_000)
    lifetimes.closed({ reason: 'client', age: 90_000, silence: 60_010, events: 1, bytes: 1 }, n * 1_000)
  }
  return lifetimes
}

test('no finding about closes with fewer than thirty', () => {
  assert.deepEqual(diagnose(idle(29).evidence(60_000), { heartbeat: Infinity }), [])
  assert.equal(diagnose(idle(30).evidence(60_000), { heartbeat: Infinity }).length, 1)
})

test('an idle timeout is named with its value, the products that have it, and the heartbeat that cures it', () => {
  const [finding] = diagnose(idle(200).evidence(300_000), { heartbeat: 90_000 })
  assert.equal(finding?.code, 'idle-timeout')
  assert.deepEqual(finding?.evidence, {
    closes: 200,
    count: 200,
    share: 1,
    valueMs: 60_010,
    heartbeatMs: 30_000,
  })
  assert.match(finding?.message ?? '', /nginx.*ALB.*heartbeat of 90 s is too long/)
  assert.match(finding?.cure ?? '', /heartbeat: 30000/)
  assert.deepEqual(JSON.parse(JSON.stringify(finding)), finding)
  const [unwritten] = diagnose(idle(200).evidence(300_000), { heartbeat: 20_000 })
  assert.match(unwritten?.message ?? '', /should have kept them/)
})

test('a finding goes when what it rests on is over: cured, it is gone within two generations', () => {
  const lifetimes = idle(200)
  assert.equal(diagnose(lifetimes.evidence(GENERATION + 1), { heartbeat: Infinity }).length, 1)
  assert.deepEqual(diagnose(lifetimes.evidence(2 * GENERATION), { heartbeat: Infinity }), [])
})

test('one incident is no pile: hundreds cut at one moment, all written to at once before', () => {
  const lifetimes = new Lifetimes(0)
  const dice = new Dice(3)
  for (const moment of [60_000, 200_000, 600_000]) {
    for (let n = 0; n < 500; n += 1) {
      const age = dice.exponential(40_000)
      lifetimes.closed(
        { reason: 'client', age: 8_000 + age, silence: 8_000, events: 1, bytes: 1 },
        moment + n / 5,
      )
    }
  }
  assert.deepEqual(diagnose(lifetimes.evidence(700_000), { heartbeat: 20_000 }), [])
})

test('two timeouts on the way are two findings', () => {
  const lifetimes = new Lifetimes(0)
  for (let n = 0; n < 600; n += 1) {
    const silence = n % 3 === 0 ? 60_000 + (n % 50) : 100_000 + (n % 70)
    lifetimes.opened({ resumed: true, told: true, encoding: undefined }, n * 1_000)
    lifetimes.closed({ reason: 'client', age: silence + n * 911, silence, events: 5, bytes: 1 }, n * 1_000)
  }
  const found = diagnose(lifetimes.evidence(600_000), { heartbeat: Infinity })
  assert.deepEqual(
    found.map(({ code, evidence }) => [code, Math.round((evidence.valueMs ?? 0) / 1_000)]),
    [
      ['idle-timeout', 100],
      ['idle-timeout', 60],
    ],
  )
})

test('reconnects that come all at once are a storm', () => {
  const lifetimes = new Lifetimes(0)
  for (let n = 0; n < 400; n += 1)
    lifetimes.opened({ resumed: true, told: true, encoding: undefined }, 60_000 + n)
  const [finding, ...others] = diagnose(lifetimes.evidence(90_000), { heartbeat: 20_000 })
  assert.deepEqual([finding?.code, others.length], ['storm', 0])
  assert.deepEqual(finding?.evidence, { count: 400, share: 1, bursts: 1, peakPerSecond: 400 })
  figures.set('storm', Object.keys(finding?.evidence ?? {}))
})

test('a diagnosis takes as long after a million closes as after ten thousand', () => {
  const time = (closes: number): number => {
    const lifetimes = new Lifetimes(0)
    const dice = new Dice(4)
    for (let n = 0; n < closes; n += 1) {
      const age = dice.exponential(60_000)
      const silence = age * dice.random()
      lifetimes.closed({ reason: 'client', age, silence, events: 1, bytes: 1 }, (n * GENERATION) / closes)
    }
    const times = Array.from({ length: 20 }, () => {
      const start = performance.now()
      diagnose(lifetimes.evidence(GENERATION), { heartbeat: 20_000 })
      return performance.now() - start
    })
    return Math.min(...times)
  }
  const [few, many] = [time(10_000), time(1_000_000)]
  assert.ok(many < 5 * few + 5, `${few} ms, ${many} ms`)
})

test('docs/diagnosis.md names the figures that each finding comes with', () => {
  const page = readFileSync(new URL('../../docs/diagnosis.md', import.meta.url), 'utf8')
  const listed = [...page.matchAll(/^\| `([a-z-]+)` +\| (?:critical|warning|info) .*\| (`.*`) +\|$/gm)]
  assert.equal(listed.length, figures.size)
  for (const [, code = '', names = ''] of listed) {
    assert.deepEqual(names.replaceAll('`', '').split(', '), figures.get(code), code)
  }
})

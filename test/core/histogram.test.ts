import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BUCKETS, boundOf, Histogram, indexOf, merged, moments, quantile } from '../../src/core/histogram.ts'
import { collectGarbage } from '../support/gc.ts'
import { Dice } from '../support/population.ts'

const DAY = 86_400_000

test('every value from a millisecond to a week has a bucket that is 2 % wide', () => {
  for (let value = 1; value < 7 * DAY; value *= 1.0037) {
    const index = indexOf(value)
    // Within a rounding error of the bound.
    assert.ok(boundOf(index) <= value * (1 + 1e-9) && value < boundOf(index + 1) * (1 + 1e-9), `${value}`)
    assert.ok(boundOf(index + 1) / boundOf(index) < 1.0201)
  }
  assert.equal(indexOf(0), 0)
  assert.equal(indexOf(0.99), 0)
  assert.equal(indexOf(-5), 0)
  assert.equal(indexOf(Number.NaN), 0)
  assert.equal(indexOf(400 * DAY), BUCKETS - 1)
  assert.equal(indexOf(Infinity), BUCKETS - 1)
})

test('a bucket keeps count, sum, least and greatest exactly, and quantiles are within 2 %', () => {
  const dice = new Dice(1)
  const histogram = new Histogram()
  const values = Array.from({ length: 20_000 }, () => dice.logNormal(30_000, 1.5))
  for (const [n, value] of values.entries()) histogram.record(value, n)
  values.sort((a, b) => a - b)
  const buckets = histogram.buckets()
  assert.equal(histogram.count, values.length)
  assert.equal(
    buckets.reduce((sum, { count }) => sum + count, 0),
    values.length,
  )
  const total = values.reduce((sum, value) => sum + value, 0)
  assert.ok(Math.abs(buckets.reduce((all, { sum }) => all + sum, 0) / total - 1) < 1e-9)
  assert.equal(buckets[0]?.min, values[0])
  assert.equal(buckets.at(-1)?.max, values.at(-1))
  for (const share of [0.5, 0.9, 0.99]) {
    const exact = values[Math.ceil(share * values.length) - 1] ?? 0
    assert.ok(Math.abs(quantile(buckets, share) / exact - 1) < 0.02)
  }
  assert.deepEqual(new Histogram().quantiles(), { p50: 0, p90: 0, p99: 0 })
})

test('a thousand values of one moment count as one, a thousand of a thousand moments as a thousand', () => {
  const together = new Histogram()
  const apart = new Histogram()
  for (let n = 0; n < 1_000; n += 1) {
    together.record(60_000, 5_000 + n / 10)
    apart.record(60_000, n * 1_000)
  }
  const of = (histogram: Histogram): number => moments(histogram.buckets()[0] ?? { count: 0, squares: 0 })
  assert.equal(of(together), 1)
  assert.equal(of(apart), 1_000)
})

test('two histograms merge into what one would hold', () => {
  const dice = new Dice(2)
  const [one, other, both] = [new Histogram(), new Histogram(), new Histogram()]
  for (let n = 0; n < 5_000; n += 1) {
    const value = Math.round(dice.exponential(20_000))
    // Whole moments go to one or the other, so that the squares agree, too.
    ;(n % 2 === 0 ? one : other).record(value, n * 1_000)
    both.record(value, n * 1_000)
  }
  assert.deepEqual(merged(one.buckets(), other.buckets()), both.buckets())
})

test('a histogram holds 56 KB at the most, whatever comes', async () => {
  await collectGarbage()
  const before = process.memoryUsage().arrayBuffers
  const histograms = Array.from({ length: 20 }, () => new Histogram())
  for (const histogram of histograms) {
    for (let index = 0; index < BUCKETS; index += 1) histogram.record(boundOf(index) * 1.01, index)
    for (let n = 0; n < 5_000; n += 1) histogram.record(1.5 ** (n % 80), n)
  }
  await collectGarbage()
  const each = (process.memoryUsage().arrayBuffers - before) / histograms.length
  assert.ok(each <= 57_344 + 1_000, `${each} bytes`)
  assert.equal(histograms[0]?.buckets().length, BUCKETS)
})

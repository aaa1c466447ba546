import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Deque } from '../../src/core/deque.ts'

test('items come out in the order they went in, with every index right in between', () => {
  const deque = new Deque<number>()
  let pushed = 0
  let shifted = 0
  for (let round = 0; round < 2000; round += 1) {
    for (let n = 0; n < round % 7; n += 1) deque.push(pushed++)
    for (let n = 0; n < round % 5 && deque.length > 0; n += 1) assert.equal(deque.shift(), shifted++)
    assert.equal(deque.length, pushed - shifted)
    assert.equal(deque.at(0), deque.length > 0 ? shifted : undefined)
    assert.equal(deque.at(deque.length - 1), deque.length > 0 ? pushed - 1 : undefined)
  }
  while (deque.length > 0) assert.equal(deque.shift(), shifted++)
  assert.equal(deque.shift(), undefined)
})

test('retain keeps what passes, in order', () => {
  const deque = new Deque<number>()
  for (let n = 0; n < 10; n += 1) deque.push(n)
  deque.shift()
  deque.retain((n) => n % 2 === 1)
  assert.equal(deque.length, 5)
  assert.equal(deque.at(0), 1)
  deque.push(11)
  assert.equal(deque.at(5), 11)
})

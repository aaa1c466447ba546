import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressKey } from '../../src/core/address.ts'

test('an IPv4 address is its own key, mapped into IPv6 or not, in every spelling', () => {
  for (const address of [
    '192.0.2.1',
    '::ffff:192.0.2.1',
    '::FFFF:c000:201',
    '0:0:0:0:0:ffff:192.0.2.1',
    '::ffff:192.0.2.1%eth0',
  ]) {
    assert.equal(addressKey(address), '192.0.2.1', address)
  }
  assert.notEqual(addressKey('192.0.2.2'), addressKey('192.0.2.1'))
})

test('an IPv6 subscriber has one key for the whole /64', () => {
  const key = addressKey('2001:db8:1:2::1')
  assert.equal(key, '2001:db8:1:2::/64')
  for (const address of ['2001:db8:1:2:ffff:ffff:ffff:ffff', '2001:DB8:1:2:0:0:0:9', '2001:db8:1:2::5%en0']) {
    assert.equal(addressKey(address), key, address)
  }
  assert.notEqual(addressKey('2001:db8:1:3::1'), key)
  assert.equal(addressKey('::1'), '0:0:0:0::/64')
  assert.equal(addressKey('fe80::1%eth0'), 'fe80:0:0:0::/64')
})

test('what is no address is its own key, and never throws', () => {
  for (const text of [
    '',
    'unix:',
    ':::',
    '1:2:3',
    '1::2::3',
    'g::1',
    '::ffff:1.2.3.400',
    '1:2:3:4:5:6:7:8:9',
  ]) {
    assert.equal(addressKey(text), text)
  }
})

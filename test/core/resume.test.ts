import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Gap } from '../../src/core/gap.ts'
import { CoreHub, numbers, type Opened } from '../support/core-hub.ts'

const outcome = ({ headers }: Opened): unknown => headers.get('Sluice-Resume')

function gaps({ sink }: Opened): (Gap & { id: string })[] {
  return sink.events
    .filter(({ event }) => event === 'gap')
    .map(({ data, lastEventId }) => ({ ...(JSON.parse(data) as Gap), id: lastEventId }))
}

test('a hit replays the exact suffix of the channels subscribed to, and joins live', async () => {
  const hub = new CoreHub()
  const ids = await hub.count('a', 1, 5)
  await hub.count('b', 6, 8)
  await hub.count('a', 9, 10)
  const a = hub.open({ channels: ['a'] }, ids[2])
  const both = hub.open({ channels: ['a', 'b'] }, ids[2])
  const newest = hub.open({ channels: ['a'] }, hub.position)
  await hub.count('a', 11, 12)
  assert.equal(outcome(a), 'full')
  assert.equal(a.connection.lastEventId, ids[2])
  assert.deepEqual(a.sink.data, ['4', '5', '9', '10', '11', '12'])
  assert.deepEqual(both.sink.data, numbers(4, 12))
  assert.deepEqual(newest.sink.data, ['11', '12'])
  for (const opened of [a, both, newest]) assert.deepEqual(gaps(opened), [])
})

test('the id of any event resumes any set of channels, also one of a channel not subscribed to', async () => {
  const hub = new CoreHub()
  const order = Array.from({ length: 60 }, (_, n) => ['a', 'b', 'c'][(n * 7 + (n >> 2)) % 3] ?? 'a')
  const ids: string[] = []
  for (const [n, channel] of order.entries()) ids.push(...(await hub.count(channel, n, n)))
  for (const channels of [['a'], ['b', 'c'], ['a', 'b', 'c'], ['c', 'a']]) {
    for (const [n, id] of ids.entries()) {
      const opened = hub.open({ channels }, id)
      hub.fake.settle()
      const expected = order.flatMap((channel, at) =>
        at > n && channels.includes(channel) ? [String(at)] : [],
      )
      assert.deepEqual(opened.sink.data, expected)
      opened.sink.close()
    }
  }
})

test('a long replay takes several writes and loses nothing while events keep coming', async () => {
  const hub = new CoreHub({ maxWriteBytes: 500, channelDefaults: { maxEvents: 10_000 } })
  const [first] = await hub.count('a', 1, 2_000)
  const { sink } = hub.open({ channels: ['a'] }, first)
  for (let n = 2_001; n <= 2_300; n += 1) {
    void hub.publish('a', { data: String(n) })
    hub.fake.turn()
  }
  hub.fake.settle()
  assert.deepEqual(sink.data, numbers(2, 2_300))
  assert.ok(sink.writes.every((bytes) => bytes.length <= 500))
})

test('no id starts live; from: oldest starts at the oldest; from: an id reads on after it', async () => {
  const hub = new CoreHub({ channelDefaults: { maxEvents: 3 } })
  const ids = await hub.count('a', 1, 5)
  const live = hub.open({ channels: ['a'] })
  const oldest = hub.open({ channels: ['a'], from: 'oldest' })
  const after = hub.open({ channels: ['a'], from: ids[3] })
  const resumed = hub.open({ channels: ['a'], from: 'oldest' }, ids[4])
  await hub.count('a', 6, 6)
  assert.deepEqual([live, oldest, after, resumed].map(outcome), ['none', 'none', 'full', 'full'])
  assert.deepEqual(live.sink.data, ['6'])
  assert.deepEqual(oldest.sink.data, ['3', '4', '5', '6'])
  assert.deepEqual(after.sink.data, ['5', '6'])
  assert.deepEqual(resumed.sink.data, ['6'])
  // Who asked for what there is has lost nothing.
  assert.deepEqual(gaps(oldest), [])
})

test('an id of an earlier life, an evicted one and an unknown one are misses, told with their reason', async () => {
  const hub = new CoreHub({ channelDefaults: { maxEvents: 3 } })
  const ids = await hub.count('a', 1, 5)
  const cases: [string | null, string, string | null][] = [
    [`0000000000-3`, 'epoch', '0000000000-3'],
    [ids[0] ?? '', 'evicted', ids[0] ?? ''],
    ['never-seen', 'unknown', 'never-seen'],
    [`${hub.epoch}-6`, 'unknown', `${hub.epoch}-6`],
    [`${hub.epoch}-999999999999999999999`, 'unknown', `${hub.epoch}-999999999999999999999`],
    [`${hub.epoch}-03`, 'unknown', `${hub.epoch}-03`],
    [`${hub.epoch}--1`, 'unknown', `${hub.epoch}--1`],
    [`${hub.epoch}-1e0`, 'unknown', `${hub.epoch}-1e0`],
    [`${hub.epoch.toUpperCase()}-3x`, 'unknown', `${hub.epoch.toUpperCase()}-3x`],
    ['x'.repeat(129), 'unknown', null],
    ['x'.repeat(1_000_000), 'unknown', null],
    ['\ud800"\\</script>', 'unknown', '\ud800"\\</script>'],
    ['*', 'unknown', '*'],
    [null, 'unknown', null],
  ]
  for (const [id, reason, requested] of cases) {
    const opened = hub.open({ channels: ['a'] }, id)
    hub.fake.settle()
    assert.equal(outcome(opened), 'gap', String(id).slice(0, 50))
    assert.deepEqual(
      gaps(opened),
      [{ reason, channel: 'a', requested, oldest: ids[2], newest: ids[4], id: hub.position }],
      String(id).slice(0, 50),
    )
    assert.deepEqual(opened.sink.data, [])
    opened.sink.close()
  }
  assert.equal(hub.stats().gaps, cases.length)
})

test('after a gap the client stands at the live position: it resumes from there', async () => {
  const hub = new CoreHub()
  await hub.count('a', 1, 5)
  const missed = hub.open({ channels: ['a', 'b'] }, 'never-seen')
  assert.deepEqual(
    gaps(missed).map(({ channel, id }) => [channel, id]),
    // The first of two gaps must not move the client before the second was told.
    [
      ['a', ''],
      ['b', hub.position],
    ],
  )
  await hub.count('a', 6, 6)
  assert.deepEqual(hub.open({ channels: ['a'] }, gaps(missed)[1]?.id).sink.data, ['6'])
})

test("onGap 'oldest' goes on with the oldest kept", async () => {
  const hub = new CoreHub({ channelDefaults: { maxEvents: 3 } })
  const ids = await hub.count('a', 1, 5)
  for (const id of ['never-seen', ids[0]]) {
    const opened = hub.open({ channels: ['a'], onGap: 'oldest' }, id)
    assert.equal(gaps(opened).length, 1)
    assert.deepEqual(opened.sink.data, ['3', '4', '5'])
  }
})

test("onGap 'refuse' answers 410 with the gaps and leaves nothing registered", async () => {
  const hub = new CoreHub({ channelDefaults: { maxEvents: 3 } })
  const ids = await hub.count('a', 1, 5)
  const answer = hub.ask({ channels: ['a'], onGap: 'refuse' }, ids[0])
  assert.ok('status' in answer)
  assert.equal(answer.status, 410)
  assert.equal((JSON.parse(answer.body) as { gaps: Gap[] }).gaps[0]?.reason, 'evicted')
  assert.equal(new Map(answer.headers).get('Sluice-Resume'), 'gap')
  assert.equal(hub.channel('a').size, 0)
  assert.equal(outcome(hub.open({ channels: ['a'], onGap: 'refuse' }, ids[4])), 'full')
})

test('when one channel of two has lost events, the other still replays exactly', async () => {
  const hub = new CoreHub()
  hub.channel('small', { maxEvents: 2 })
  const [first] = await hub.count('large', 0, 0)
  for (let n = 1; n <= 5; n += 1) {
    await hub.count('large', n, n)
    await hub.count('small', n * 100, n * 100)
  }
  const live = hub.open({ channels: ['small', 'large'] }, first)
  const oldest = hub.open({ channels: ['small', 'large'], onGap: 'oldest' }, first)
  await hub.count('small', 600, 600)
  assert.deepEqual(live.sink.data, ['1', '2', '3', '4', '5', '600'])
  assert.deepEqual(oldest.sink.data, ['1', '2', '3', '4', '400', '5', '500', '600'])
  for (const opened of [live, oldest]) {
    assert.deepEqual(
      gaps(opened).map(({ reason, channel, id }) => ({ reason, channel, id })),
      // The id stays: the other channel's events are still to come.
      [{ reason: 'evicted', channel: 'small', id: '' }],
    )
  }
})

test("a publisher's own id is kept, and resumes", async () => {
  const hub = new CoreHub()
  const opened = hub.open({ channels: ['a'] })
  await hub.publish('c', { data: 'x', id: 'lone \ud800 surrogate' })
  assert.equal(outcome(hub.open({ channels: ['c'] }, 'lone \ufffd surrogate')), 'full')
  for (const id of ['order-17', 'ключ', '42', '0']) await hub.publish('a', { data: id, id })
  await hub.count('b', 1, 1)
  hub.fake.settle()
  assert.deepEqual(
    opened.sink.events.map(({ lastEventId }) => lastEventId),
    ['order-17', 'ключ', '42', '0'],
  )
  assert.deepEqual(hub.open({ channels: ['a'] }, 'order-17').sink.data, ['ключ', '42', '0'])
  assert.deepEqual(hub.open({ channels: ['a', 'b'] }, 'ключ').sink.data, ['42', '0', '1'])
  assert.deepEqual(hub.open({ channels: ['a'] }, '0').sink.data, [])
  // Of a channel that is not subscribed to, it says nothing.
  assert.equal(outcome(hub.open({ channels: ['b'] }, '42')), 'gap')
})

test('an id that two channels share replays from the earlier: one event twice beats one lost', async () => {
  const hub = new CoreHub()
  await hub.publish('a', { data: 'a1', id: 'x' })
  await hub.publish('b', { data: 'b1', id: 'x' })
  await hub.publish('a', { data: 'a2', id: 'y' })
  assert.deepEqual(hub.open({ channels: ['a', 'b'] }, 'x').sink.data, ['b1', 'a2'])
})

test('a connection without channels has nothing to resume', () => {
  const hub = new CoreHub()
  const opened = hub.open({}, 'whatever')
  assert.equal(outcome(opened), 'none')
  assert.deepEqual(gaps(opened), [])
})

test('a client that starts live is given the newest id of its channels, the publisher’s own where there is one', async () => {
  const hub = new CoreHub()
  const opening = (channels: string[]) => hub.open({ channels }).sink.text
  await hub.publish('a', { id: 'own-1', data: 1 })
  assert.match(opening(['a']), /^:\nid: own-1\n\n$/)
  await hub.publish('b', { data: 2 })
  assert.match(opening(['a', 'b']), new RegExp(`id: ${hub.position}\n`))
  // Nothing newer in its own channel: the same place, by a name that other processes know.
  assert.match(opening(['a']), /id: own-1\n/)
  const { sink } = hub.open({ channels: ['a'] }, 'own-1')
  await hub.publish('a', { id: 'own-3', data: 3 })
  hub.fake.settle()
  assert.deepEqual(sink.data, ['3'])
})

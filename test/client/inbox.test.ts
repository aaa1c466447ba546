import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Inbox } from '../../src/client/inbox.ts'

test('items come out in order, to takers that wait and to takers that come later', async () => {
  const inbox = new Inbox<number>()
  const early = [inbox.take(), inbox.take()]
  for (const item of [1, 2, 3]) inbox.push(item)
  assert.deepEqual(await Promise.all([...early, inbox.take()]), [1, 2, 3])
  assert.equal(inbox.isEmpty, true)
})

test('it is empty when the last item was taken, or when it has ended', async () => {
  const inbox = new Inbox<number>()
  await inbox.empty()
  inbox.push(1)
  let told = false
  const empty = inbox.empty().then(() => {
    told = true
  })
  await Promise.resolve()
  assert.equal(told, false)
  await inbox.take()
  await empty
  inbox.push(2)
  const ended = inbox.empty()
  inbox.end()
  await ended
})

test('after its end come what is left, then the failure once, then nothing', async () => {
  const inbox = new Inbox<number>()
  inbox.push(1)
  inbox.end({ thrown: undefined })
  inbox.push(2)
  inbox.end({ thrown: 'another' })
  assert.equal(await inbox.take(), 1)
  await assert.rejects(inbox.take(), (thrown) => thrown === undefined)
  assert.equal(await inbox.take(), undefined)
})

test('takers that wait share one failure and are all let go', async () => {
  const inbox = new Inbox<number>()
  const takers = [inbox.take(), inbox.take()]
  inbox.end({ thrown: new Error('over') })
  const settled = await Promise.allSettled(takers)
  assert.deepEqual(
    settled.map(({ status }) => status),
    ['rejected', 'fulfilled'],
  )
})

test('what was cleared does not come, a failure included', async () => {
  const inbox = new Inbox<number>()
  inbox.push(1)
  inbox.end({ thrown: new Error('over') })
  inbox.clear()
  assert.equal(await inbox.take(), undefined)
})

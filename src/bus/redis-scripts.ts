// What has to happen inside Redis in one step, as Lua, and how it is sent.

import type { RedisArgument, Send } from './redis-client.ts'

/** A script and the name that Redis knows it by once it has seen it. */
export interface Script {
  readonly text: string
  readonly sha: Promise<string>
}

/**
 * Every script begins by opening the log: the hash `KEYS[2]` says which epoch it is (`epoch`), the newest position in it
 * (`head`, 0 before the first), and the position after which the epoch begins (`floor`): what the stream holds up to
 * there belongs to an earlier one. An empty stream is made so that a stream that is missing later is a stream that was lost.
 *
 * ARGV[1] is the name for a new epoch, should there be need of one. ARGV[2] and ARGV[3] are the newest position that the
 * caller has seen and its epoch: a head below it proves that Redis has lost what it had acknowledged. ARGV[4] is an
 * epoch that the caller knows to have holes for the same reason, or ''.
 *
 * Numbers are written with %.0f, for Lua would round them to 14 digits; a double holds them exactly.
 */
const OPEN = `
local stream, meta = KEYS[1], KEYS[2]
local known = redis.call('HMGET', meta, 'epoch', 'head', 'floor')
local epoch, head, floor = known[1], tonumber(known[2]) or 0, tonumber(known[3]) or 0
local there = redis.call('EXISTS', stream) == 1
if not epoch or not there or epoch == ARGV[4] or (epoch == ARGV[3] and tonumber(ARGV[2]) > head) then
  if epoch == ARGV[3] then floor = math.max(floor, tonumber(ARGV[2])) end
  floor = math.max(floor, head)
  if there then
    local info = redis.call('XINFO', 'STREAM', stream)
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then
        floor = math.max(floor, tonumber(string.match(info[i + 1], '^%d+')))
      end
    end
  else
    redis.call('XGROUP', 'CREATE', stream, 'new', '0', 'MKSTREAM')
    redis.call('XGROUP', 'DESTROY', stream, 'new')
  end
  epoch, head = ARGV[1], 0
  redis.call('DEL', meta)
  redis.call('HSET', meta, 'epoch', epoch, 'head', '0', 'floor', string.format('%.0f', floor))
end
`

/**
 * KEYS[3] is the name of this publish. ARGV from 5: channel, body, entries held, bytes held, milliseconds that the name
 * is known, the time after which it is too late to store it. Answers epoch, position, position before.
 *
 * The position is the time in microseconds, or one more than the last where the clock has not moved: a replica that
 * takes over without the newest entries goes on above them. Each entry says how many bytes were appended before it in
 * its epoch, so that what is held is the difference of two numbers; once in 64 KiB the oldest entries are looked at.
 */
const APPEND = `${OPEN}
local seen = redis.call('GET', KEYS[3])
if seen then
  local of, position, previous = string.match(seen, '^(%w+) (%d+) (%d+)$')
  if of == epoch then return { epoch, position, previous } end
end
local now = redis.call('TIME')
if now[1] * 1000 + now[2] / 1000 > tonumber(ARGV[10]) then
  return redis.error_reply('SLUICELATE This append was sent too long ago; it was not stored.')
end
local at = string.format('%.0f', math.max(head + 1, floor + 1, now[1] * 1000000 + now[2]))
local previous = string.format('%.0f', head)
local sums = redis.call('HMGET', meta, 'bytes', 'checked')
local bytes, checked = tonumber(sums[1]) or 0, tonumber(sums[2]) or 0
redis.call('XADD', stream, 'MAXLEN', '~', ARGV[7], at .. '-0',
  'e', epoch, 'p', previous, 's', string.format('%.0f', bytes), 'c', ARGV[5], 'b', ARGV[6])
bytes = bytes + #ARGV[5] + #ARGV[6] + 64
if bytes - checked >= 65536 then
  checked = bytes
  local from, count, keep = '-', 1, nil
  -- Twice as many each time: about as much is read as is to go.
  for round = 1, 12 do
    for _, entry in ipairs(redis.call('XRANGE', stream, from, '+', 'COUNT', count)) do
      local id, fields = entry[1], entry[2]
      from = '(' .. id
      -- The newest stays however large it is; entries of an earlier epoch go.
      if id == at .. '-0' or (fields[2] == epoch and bytes - tonumber(fields[6]) <= tonumber(ARGV[8])) then
        keep = id
        break
      end
    end
    if keep then break end
    count = math.min(count * 2, 128)
  end
  if keep then redis.call('XTRIM', stream, 'MINID', keep)
  else redis.call('XTRIM', stream, 'MINID', string.match(from, '%d+') .. '-1') end
end
redis.call('HSET', meta, 'head', at, 'bytes', string.format('%.0f', bytes), 'checked', string.format('%.0f', checked))
redis.call('SET', KEYS[3], epoch .. ' ' .. at .. ' ' .. previous, 'PX', ARGV[9])
return { epoch, at, previous }
`

/**
 * ARGV from 5: the position to read after, how many entries, how many bytes of them. Answers epoch, head, floor, and the
 * entries as XRANGE gives them. XRANGE knows no bound in bytes, so it is asked for a few, then for more.
 */
const READ = `${OPEN}
local limit, room, count = tonumber(ARGV[6]), tonumber(ARGV[7]), 1
local from = '(' .. string.format('%.0f', math.max(floor, tonumber(ARGV[5]))) .. '-0'
local found = {}
while #found < limit and room > 0 do
  local asked = math.min(count, limit - #found)
  local page = redis.call('XRANGE', stream, from, '+', 'COUNT', asked)
  for _, entry in ipairs(page) do
    room = room - #(entry[2][10] or '')
    if room < 0 and #found > 0 then break end
    found[#found + 1] = entry
    from = '(' .. entry[1]
  end
  if #page < asked then break end
  -- Not many at once: they are loaded whole before their bytes can be counted.
  count = math.min(count * 2, 16)
end
return { epoch, string.format('%.0f', head), string.format('%.0f', floor), found }
`

/** SHA-1 in hexadecimal, by the platform's own means. */
async function shaOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-1', new TextEncoder().encode(text))
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

const scriptOf = (text: string): Script => ({ text, sha: shaOf(text) })

export const append = scriptOf(APPEND)
export const read = scriptOf(READ)

/** Runs a script by its name, and by its text where Redis does not know it: after a restart, a failover, or at first. */
export async function run(
  send: Send,
  script: Script,
  keys: readonly string[],
  args: readonly RedisArgument[],
): Promise<unknown> {
  const [key = ''] = keys
  const rest = [String(keys.length), ...keys, ...args]
  try {
    return await send(key, ['EVALSHA', await script.sha, ...rest])
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
    return await send(key, ['EVAL', script.text, ...rest])
  }
}

-- Hands out deliveries of a target that are due, the oldest due first.
--
-- ARGV: now, until, how many, how many bytes, target, hand, losses at most.
-- Answers a row for each: id, attempt, event, route, order key, media type, body, received, once,
-- progress.
local now_ms, until_ms, bytes_max, target, hand = ARGV[1], ARGV[2], tonumber(ARGV[4]), ARGV[5], ARGV[6]
if call('EXISTS', P .. ':void:' .. hand) == 1 then return {} end
expire(target, now_ms, tonumber(ARGV[7]))
local rows, bytes = {}, 0
for _, id in ipairs(call('ZRANGEBYSCORE', due(target), '-inf', now_ms, 'LIMIT', 0, ARGV[3])) do
  local it = one(id)
  bytes = bytes + call('HSTRLEN', event(it.event), 'b') + call('HSTRLEN', delivery(id), 'p')
  if #rows > 0 and bytes > bytes_max then break end
  leave(it)
  call('HSET', delivery(id), 'k', hand, 'z', it.due, 'a', it.attempts + 1)
  move(it, 'l', until_ms)
  local of = call('HMGET', event(it.event), 'i', 'r', 'y', 'b', 'm')
  rows[#rows + 1] = { id, it.attempts + 1, of[1], of[2], it.order, of[3], of[4], of[5],
    it.once and 1 or 0, call('HGET', delivery(id), 'p') }
end
return rows

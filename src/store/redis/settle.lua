-- Ends the attempt of a lease; 0 where the lease had run out before.
--
-- ARGV: now, id, attempt, how, due, class, status or nothing, progress or nothing with a `=`
-- before it.
local now_ms, how = ARGV[1], ARGV[4]
local it = one(ARGV[2])
if not it or it.state ~= 'l' or it.attempts ~= tonumber(ARGV[3])
  or tonumber(it.due) <= tonumber(now_ms) then return 0 end
leave(it)
local key = delivery(it.id)
call('HDEL', key, 'x', 'k', 'z', 'h')
if how == 'withdraw' then
  -- Its order key goes on without it, and it is buried before it is deleted.
  bury(it, now_ms)
  leave(it)
  forget(it)
  return 1
end
if how == 'done' then
  call('HDEL', key, 'c', 'p')
  move(it, 'd', now_ms)
  return 1
end
call('HSET', key, 'c', ARGV[6])
if ARGV[7] ~= '' then call('HSET', key, 'h', ARGV[7]) end
if ARGV[8] ~= '' then call('HSET', key, 'p', string.sub(ARGV[8], 2)) end
if how == 'retry' then move(it, 'w', ARGV[5])
elseif how == 'unknown' then move(it, 'u', now_ms)
else bury(it, now_ms) end
return 1

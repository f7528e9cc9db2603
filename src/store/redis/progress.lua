-- Stores what an attempt got done; 0 where its lease had run out before.
--
-- ARGV: now, id, attempt, progress.
local it = one(ARGV[2])
if not it or it.state ~= 'l' or it.attempts ~= tonumber(ARGV[3])
  or tonumber(it.due) <= tonumber(ARGV[1]) then return 0 end
-- Freed first, so that it is taken also where the memory is used up.
call('HDEL', delivery(it.id), 'p')
call('HSET', delivery(it.id), 'p', ARGV[4])
return 1

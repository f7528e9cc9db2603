-- Forgets a part of what has run out or was kept long enough; tells how many.
--
-- ARGV: now, taken before, set aside before, how many of each.
local now_ms, count = ARGV[1], 0

local function drop(member)
  local kind, name = string.sub(member, 1, 1), string.sub(member, 2)
  if kind == 'm' then call('DEL', P .. ':mark:' .. name)
  elseif kind == 'c' then call('DEL', P .. ':count:' .. name)
  elseif kind == 'g' then call('HDEL', P .. ':given:' .. string.sub(name, 1, 19), string.sub(name, 20))
  else
    local len, rest = string.match(name, '^(%d+):(.*)$')
    call('DEL', P .. ':keep:' .. name)
    call('ZREM', P .. ':keeps:' .. string.sub(rest, 1, len), string.sub(rest, len + 2))
  end
end

for _, member in ipairs(call('ZRANGEBYSCORE', P .. ':out', '-inf', now_ms, 'LIMIT', 0, ARGV[4])) do
  call('ZREM', P .. ':out', member)
  drop(member)
  count = count + 1
end
for n, key in ipairs({ P .. ':done', P .. ':past' }) do
  for _, id in ipairs(call('ZRANGEBYSCORE', key, '-inf', ARGV[n + 1], 'LIMIT', 0, ARGV[4])) do
    call('ZREM', key, id)
    local it = one(id)
    if it then
      leave(it)
      if it.state ~= 'b' then
        keep_marks(it.event)
        call('HINCRBY', event(it.event), 'v', -1)
      end
      forget(it)
    end
    count = count + 1
  end
end
for _, target in ipairs(call('SMEMBERS', P .. ':targets')) do
  if call('EXISTS', due(target), leased(target)) == 0 then call('SREM', P .. ':targets', target) end
end
return count

-- Gives leases back that nobody has seen: nothing can have taken effect. What the same hand asks for
-- afterwards comes too late.
--
-- ARGV: hand, targets.
local hand = ARGV[1]
-- Deleted first, so that it is taken also where the memory is used up.
call('DEL', P .. ':void:' .. hand)
call('SET', P .. ':void:' .. hand, 1, 'PX', 600000)
for n = 2, #ARGV do
  for _, id in ipairs(call('ZRANGE', leased(ARGV[n]), 0, -1)) do
    local was = call('HMGET', delivery(id), 'k', 'z')
    local it = was[1] == hand and one(id)
    if it then
      leave(it)
      call('HDEL', delivery(id), 'k', 'z')
      call('HSET', delivery(id), 'a', it.attempts - 1)
      move(it, 'w', was[2])
    end
  end
end
return 1

-- Adds to a counter, and tells what it comes to. The first to count says when it begins anew.
-- ARGV: now, space, key, until, how much.
local name = named(ARGV[2], ARGV[3])
local key = P .. ':count:' .. name
local ends = call('HGET', key, 'u')
local is_good = ends and tonumber(ends) > tonumber(ARGV[1])
if ARGV[5] == '0' then return is_good and tonumber(call('HGET', key, 'n')) or 0 end
if not is_good then
  call('DEL', key)
  call('HSET', key, 'u', ARGV[4])
  run_out(key, 'c', name, ARGV[4], ARGV[1])
end
return call('HINCRBY', key, 'n', ARGV[5])

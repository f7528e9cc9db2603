-- Keeps a value, in the place of one with the same space and key. ARGV: now, space, key, value, until.
local name = named(ARGV[2], ARGV[3])
call('HSET', P .. ':keep:' .. name, 'v', ARGV[4], 'u', ARGV[5])
call('ZADD', P .. ':keeps:' .. ARGV[2], 0, ARGV[3])
run_out(P .. ':keep:' .. name, 'k', name, ARGV[5], ARGV[1])
return 1

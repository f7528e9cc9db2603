-- Stores a mark, a value or a counter that another store had, where it is not there; of two counters
-- the greater stays. ARGV: now, kind as in PREFIX:out; then name, digest, answer, until of a mark;
-- space, key, value or count, until of the others. Answers 1: stored; 0: it was there.
local now_ms, kind, until_ms = ARGV[1], ARGV[2], ARGV[6]
if kind == 'm' then
  if good(ARGV[3], now_ms) then return 0 end
  hold(ARGV[3], { digest = ARGV[4], answer = ARGV[5], until_ms = until_ms }, nil, now_ms)
  return 1
end
local name, field = named(ARGV[3], ARGV[4]), kind == 'k' and 'v' or 'n'
local key = P .. (kind == 'k' and ':keep:' or ':count:') .. name
local of = call('HMGET', key, 'u', field)
if of[1] and tonumber(of[1]) > tonumber(now_ms)
  and (kind == 'k' or tonumber(of[2]) >= tonumber(ARGV[5])) then return 0 end
call('HSET', key, field, ARGV[5], 'u', until_ms)
if kind == 'k' then call('ZADD', P .. ':keeps:' .. ARGV[3], 0, ARGV[4]) end
run_out(key, kind, name, until_ms, now_ms)
return 1

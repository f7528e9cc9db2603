-- Gives the token of a login, or the right to log in for the whole fleet.
--
-- ARGV: name, the version that the caller has, how long a login may take in milliseconds.
-- Answers: token, its version, itself as it is sealed, its age and what is left of its life in
-- milliseconds; wait, how long at most; go, the fence of the login.
local key = P .. ':token:' .. ARGV[1]
local time = call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local of = call('HMGET', key, 'v', 's', 'b', 'e', 'u', 'h')
if of[1] and tonumber(of[1]) > tonumber(ARGV[2]) and tonumber(of[4]) > now_ms then
  return { 'token', of[1], of[2], number(now_ms - of[3]), number(of[4] - now_ms) }
end
if of[5] and tonumber(of[5]) > now_ms then return { 'wait', number(of[5] - now_ms) } end
-- By the clock, so that it grows also where all of it was lost.
local fence = number(math.max(time[1] * 1000000 + time[2], tonumber(of[6] or 0) + 1))
call('HSET', key, 'h', fence, 'u', number(now_ms + ARGV[3]))
call('PEXPIRE', key, number(math.max(tonumber(ARGV[3]), tonumber(of[4] or 0) - now_ms) + SLACK_MS))
return { 'go', fence }

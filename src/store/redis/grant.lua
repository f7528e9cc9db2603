-- Ends a login: with a token for everybody, or with a pause before the next one.
--
-- ARGV: name, fence, the token as it is sealed or nothing, its life or the pause in milliseconds.
-- Answers the token's version, 0 where there is none, and -1 where somebody else logs in by now.
local key = P .. ':token:' .. ARGV[1]
if call('HGET', key, 'h') ~= ARGV[2] then return -1 end
local time = call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[3] == '' then
  call('HSET', key, 'u', number(now_ms + ARGV[4]))
  return 0
end
call('HSET', key, 'v', ARGV[2], 's', ARGV[3], 'b', number(now_ms), 'e', number(now_ms + ARGV[4]))
call('HDEL', key, 'u')
call('PEXPIRE', key, number(ARGV[4] + SLACK_MS))
return tonumber(ARGV[2])

-- Replies that a fleet keeps, each sealed by whoever had it. Every change makes all of before void:
-- its number is in the names.
--
-- ARGV: name of a reply or nothing; to keep one, itself, for how many milliseconds, and the number of
-- the change that was known when it was fetched.
-- Answers: the number of the last change, and the reply.
local change = call('GET', P .. ':changes') or '0'
local key = P .. ':cached:' .. change .. ':' .. ARGV[1]
if ARGV[2] and ARGV[4] == change then call('SET', key, ARGV[2], 'PX', ARGV[3]) end
return { change, ARGV[1] ~= '' and call('GET', key) or nil }

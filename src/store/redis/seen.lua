-- Which keys of a space are marked as seen. ARGV: now, space, keys.
local seen = {}
for n = 3, #ARGV do seen[n - 2] = good(named(ARGV[2], ARGV[n]), ARGV[1]) and 1 or 0 end
return seen

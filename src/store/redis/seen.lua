-- Which marks are held. ARGV: now, names.
local seen = {}
for n = 2, #ARGV do seen[n - 1] = good(ARGV[n], ARGV[1]) and 1 or 0 end
return seen

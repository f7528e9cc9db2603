-- The body of a delivery, or nothing. ARGV: id.
local it = one(ARGV[1])
return { it and call('HGET', event(it.event), 'b') or false }

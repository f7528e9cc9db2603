-- The next moment at which something of a target is due or a lease of it ends. ARGV: target.
local found = {}
for _, key in ipairs({ due(ARGV[1]), leased(ARGV[1]) }) do
  local id = call('ZRANGE', key, 0, 0)[1]
  if id then found[#found + 1] = call('HGET', delivery(id), 'u') end
end
return found

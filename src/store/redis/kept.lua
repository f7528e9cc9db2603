-- What is kept in a space, by key. ARGV: now, space, from (as ZRANGEBYLEX has it), to, how many, bytes.
-- Answers key, value, until of each.
local now_ms, space, from = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local max, bytes_max, rows, bytes = tonumber(ARGV[5]), tonumber(ARGV[6]), {}, 0
while #rows < max do
  local keys = call('ZRANGEBYLEX', P .. ':keeps:' .. space, from, ARGV[4], 'LIMIT', 0, 100)
  if #keys == 0 then break end
  for _, key in ipairs(keys) do
    local of = call('HMGET', P .. ':keep:' .. named(space, key), 'v', 'u')
    if of[1] and tonumber(of[2]) > now_ms then
      bytes = bytes + #of[1] + #space + #key
      if #rows == max or #rows > 0 and bytes > bytes_max then return rows end
      rows[#rows + 1] = { key, of[1], of[2] }
    end
  end
  from = '(' .. keys[#keys]
end
return rows

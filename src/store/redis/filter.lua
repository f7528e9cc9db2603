-- What a filter means. ARGV: id, event, route, target, state, class, order key, from, before; each
-- nothing, or with a `=` before it.
local wanted = {}
for n = 1, 9 do wanted[n] = ARGV[n] ~= '' and string.sub(ARGV[n], 2) end

local function meets(it)
  if wanted[4] and wanted[4] ~= it.target or wanted[5] and wanted[5] ~= it.state
    or wanted[7] and wanted[7] ~= it.order
    or wanted[6] and wanted[6] ~= call('HGET', delivery(it.id), 'c') then return false end
  if not (wanted[2] or wanted[3] or wanted[8] or wanted[9]) then return true end
  local of = call('HMGET', event(it.event), 'i', 'r', 'm')
  return not (wanted[2] and wanted[2] ~= of[1] or wanted[3] and wanted[3] ~= of[2]
    or wanted[8] and tonumber(of[3]) < tonumber(wanted[8])
    or wanted[9] and tonumber(of[3]) >= tonumber(wanted[9]))
end

-- A part of the deliveries that may be meant, the newest or the oldest first, and where to go on.
local function part(after, is_newest, count)
  if wanted[1] then
    return after == '' and { wanted[1] } or {}
  end
  local all = P .. ((wanted[5] == 'u' or wanted[5] == 'b') and ':aside' or ':all')
  if is_newest then
    return call('ZREVRANGEBYLEX', all, after == '' and '+' or '(' .. after, '-', 'LIMIT', 0, count)
  end
  return call('ZRANGEBYLEX', all, after == '' and '-' or '(' .. after, '+', 'LIMIT', 0, count)
end

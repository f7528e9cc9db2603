-- Some of what there is, for another store.
--
-- ARGV: now, kind as in PREFIX:out or e for events, behind which id or place, how many to look at,
-- bytes after which no more are. Answers where to go on, or nothing at the end; then rows. Of a mark:
-- name, digest, answer, until; of a value or counter: space, key, itself, until. Of an event: id,
-- route, media type, received, body; then rows of target, order key, due, once, state, attempts,
-- leases lost, class, status, progress; then rows of its marks: name, until, digest and answer.
local now_ms, kind, from = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local looks, bytes_max, rows, bytes = tonumber(ARGV[4]), tonumber(ARGV[5]), {}, 0

if kind ~= 'e' then
  local start = tonumber(from) or 0
  local members = call('ZRANGE', P .. ':out', start, start + looks - 1)
  for _, member in ipairs(members) do
    local name = string.sub(member, 2)
    if string.sub(member, 1, 1) ~= kind then
    elseif kind == 'm' then
      local of = call('HMGET', P .. ':mark:' .. name, 'd', 'a', 'u')
      if of[3] and tonumber(of[3]) > now_ms then rows[#rows + 1] = { name, of[1], of[2], of[3] } end
    else
      local len, rest = string.match(name, '^(%d+):(.*)$')
      local key = P .. (kind == 'k' and ':keep:' or ':count:') .. name
      local of = call('HMGET', key, kind == 'k' and 'v' or 'n', 'u')
      if of[2] and tonumber(of[2]) > now_ms then
        rows[#rows + 1] = { string.sub(rest, 1, len), string.sub(rest, len + 2), of[1], of[2] }
      end
    end
  end
  return { #members < looks and '' or tostring(start + looks), rows }
end

-- The deliveries of an event that are left: their ids follow each other.
local function left_of(whole, first)
  local found, at = {}, '[' .. first
  while true do
    local ids = call('ZRANGEBYLEX', P .. ':all', at, '+', 'LIMIT', 0, 100)
    for _, id in ipairs(ids) do
      if call('HGET', delivery(id), 'e') ~= whole then return found end
      found[#found + 1] = id
    end
    if #ids < 100 then return found end
    at = '(' .. ids[#ids]
  end
end

local function claims(whole, given_up)
  local found = {}
  if given_up then
    local given = call('HGETALL', P .. ':given:' .. whole)
    for at = 1, #given, 2 do
      local until_ms, rest = string.match(given[at + 1], '^(%-?%d+):(.*)$')
      if tonumber(until_ms) > now_ms then found[#found + 1] = { given[at], until_ms, rest } end
    end
    return found
  end
  for _, name in ipairs(call('SMEMBERS', P .. ':claims:' .. whole)) do
    local of = call('HMGET', P .. ':mark:' .. name, 'u', 'd', 'a', 'e')
    if of[4] == whole and tonumber(of[1]) > now_ms then
      found[#found + 1] = { name, of[1], of[2] .. of[3] }
    end
  end
  return found
end

for _ = 1, looks do
  local first = call('ZRANGEBYLEX', P .. ':all', from == '' and '-' or '(' .. from, '+', 'LIMIT', 0, 1)[1]
  if not first then return { '', rows } end
  local whole, duties, is_over, given_up = call('HGET', delivery(first), 'e'), {}, true, true
  for _, id in ipairs(left_of(whole, first)) do
    local of = call('HMGET', delivery(id), 't', 'o', 'u', '1', 's', 'a', 'x', 'c', 'h', 'p')
    is_over, given_up = is_over and of[5] == 'd', given_up and of[5] == 'b'
    duties[#duties + 1] = of
    from = id
    bytes = bytes + (of[10] and #of[10] or 0)
  end
  if not is_over then
    local of = call('HMGET', event(whole), 'i', 'r', 'y', 'm', 'b')
    bytes = bytes + #of[5]
    rows[#rows + 1] = { of[1], of[2], of[3], of[4], of[5], duties, claims(whole, given_up) }
  end
  if bytes > bytes_max then break end
end
return { from, rows }

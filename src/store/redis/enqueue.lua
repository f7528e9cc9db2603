-- Stores marks and deliveries of an event, and what is kept with it, or nothing.
--
-- ARGV: now, hand, event id, route, media type, received, body, number of marks, of duties, of
-- keeps; then name, digest, answer, until, after success of each mark; target, order key or nothing
-- with a `=` before it, due, once, leased until or nothing of each duty; space, key, value, until of
-- each keep.
-- Answers: stored and the places of leased duties, each with its id; repeated, the answer and the
-- places of marks; conflict and the places of marks; void.
local now_ms, hand, route = ARGV[1], ARGV[2], ARGV[4]
if hand ~= '' and call('EXISTS', P .. ':void:' .. hand) == 1 then return { 'void' } end
local at = 10
local function take(count)
  local parts = {}
  for n = 1, count do parts[n] = ARGV[at + n] end
  at = at + count
  return parts
end

local marks, repeated, conflicts, first, own = {}, {}, {}, nil, {}
for place = 0, tonumber(ARGV[8]) - 1 do
  local of = take(5)
  local mark = { name = of[1], digest = of[2], answer = of[3], until_ms = of[4],
    after_success = of[5] == '1' }
  local seen = call('HMGET', P .. ':mark:' .. mark.name, 'u', 'd', 'a')
  if seen[1] and tonumber(seen[1]) > tonumber(now_ms) then
    if seen[2] == mark.digest then
      repeated[#repeated + 1] = place
      first = first or seen[3]
    else
      conflicts[#conflicts + 1] = place
    end
  elseif own[mark.name] and own[mark.name] ~= mark.digest then
    conflicts[#conflicts + 1] = place
  end
  own[mark.name] = own[mark.name] or mark.digest
  marks[#marks + 1] = mark
end
if #conflicts > 0 then return { 'conflict', unpack(conflicts) } end
if first then return { 'repeated', first, unpack(repeated) } end

local duties, answer, id = tonumber(ARGV[9]), { 'stored' }, nil
local last = call('INCRBY', P .. ':ids', duties)
local function numbered(place) return string.format('%019d', last - duties + 1 + place) end
local whole = numbered(0)
-- Of two with one key the first counts, so it is put there last.
for n = #marks, 1, -1 do
  hold(marks[n].name, marks[n], marks[n].after_success and duties > 0 and whole or nil, now_ms)
end
if duties > 0 then
  call('HSET', event(whole), 'i', ARGV[3], 'r', route, 'y', ARGV[5], 'm', ARGV[6], 'b', ARGV[7],
    'n', duties, 'v', duties)
  call('HSET', P .. ':names', ARGV[3], whole)
end
local rung = {}
for place = 0, duties - 1 do
  local of = take(5)
  local target, order = of[1], of[2] ~= '' and string.sub(of[2], 2)
  id = numbered(place)
  call('HSET', delivery(id), 'e', whole, 't', target, 'a', 0, '1', of[4], 'u', of[3])
  if order then call('HSET', delivery(id), 'o', order) end
  call('ZADD', P .. ':all', 0, id)
  call('SADD', P .. ':targets', target)
  local it = { id = id, target = target, order = order, event = whole }
  local is_behind = order and call('HEXISTS', P .. ':fronts', named(target, order)) == 1
  move(it, 'w', of[3])
  if of[5] ~= '' and not is_behind then
    call('HSET', delivery(id), 'a', 1, 'k', hand, 'z', of[3])
    move(it, 'l', of[5])
    answer[#answer + 1] = place
    answer[#answer + 1] = id
  elseif not rung[target] then
    rung[target] = true
    call('XADD', P .. ':bell', 'MAXLEN', '~', 1024, '*', 't', target)
  end
end
for _ = 1, tonumber(ARGV[10]) do
  local of = take(4)
  local name = named(of[1], of[2])
  call('HSET', P .. ':keep:' .. name, 'v', of[3], 'u', of[4])
  call('ZADD', P .. ':keeps:' .. of[1], 0, of[2])
  run_out(P .. ':keep:' .. name, 'k', name, of[4], now_ms)
end
return answer

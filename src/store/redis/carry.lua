-- Stores an event that another store had, with what became of its deliveries.
--
-- ARGV: now, event id, route, media type, received, body, number of duties, of claims; then target,
-- order key or nothing with a `=` before it, due, once, state, attempts, leases lost, class or
-- nothing with a `=`, status or nothing, progress or nothing with a `=` of each duty; name, digest,
-- answer, until of each claim. Answers 1: stored; 0: it is there; 2: another event has some of its
-- marks.
local now_ms, at = ARGV[1], 8
local function take(count)
  local parts = {}
  for n = 1, count do parts[n] = ARGV[at + n] end
  at = at + count
  return parts
end
local function maybe(text) return text ~= '' and string.sub(text, 2) end

if call('HEXISTS', P .. ':names', ARGV[2]) == 1 then return 0 end
local duties, claims, alive = {}, {}, 0
for n = 1, tonumber(ARGV[7]) do
  duties[n] = take(10)
  if duties[n][5] ~= 'b' then alive = alive + 1 end
end
for n = 1, tonumber(ARGV[8]) do claims[n] = take(4) end
if alive > 0 then
  local held, other = 0, false
  for _, of in ipairs(claims) do
    if good(of[1], now_ms) then
      held = held + 1
      other = other or call('HGET', P .. ':mark:' .. of[1], 'd') ~= of[2]
    end
  end
  if held > 0 then return (other or held < #claims) and 2 or 0 end
end

local last = call('INCRBY', P .. ':ids', #duties)
local function numbered(place) return string.format('%019d', last - #duties + place) end
local whole = numbered(1)
call('HSET', event(whole), 'i', ARGV[2], 'r', ARGV[3], 'y', ARGV[4], 'm', ARGV[5], 'b', ARGV[6],
  'n', #duties, 'v', alive)
call('HSET', P .. ':names', ARGV[2], whole)
for _, of in ipairs(claims) do
  if alive > 0 then
    hold(of[1], { digest = of[2], answer = of[3], until_ms = of[4] }, whole, now_ms)
  else
    call('HSET', P .. ':given:' .. whole, of[1], of[4] .. ':' .. of[2] .. of[3])
    call('ZADD', P .. ':out', of[4], 'g' .. whole .. of[1])
  end
end
for n, of in ipairs(duties) do
  local id, target, order = numbered(n), of[1], maybe(of[2])
  call('HSET', delivery(id), 'e', whole, 't', target, 'a', of[6], '1', of[4], 'u', of[3])
  if order then call('HSET', delivery(id), 'o', order) end
  if of[7] ~= '0' then call('HSET', delivery(id), 'x', of[7]) end
  if maybe(of[8]) then call('HSET', delivery(id), 'c', maybe(of[8])) end
  if of[9] ~= '' then call('HSET', delivery(id), 'h', of[9]) end
  if maybe(of[10]) then call('HSET', delivery(id), 'p', maybe(of[10])) end
  call('ZADD', P .. ':all', 0, id)
  call('SADD', P .. ':targets', target)
  move({ id = id, target = target, order = order, event = whole }, of[5], of[3])
  if of[5] == 'w' then call('XADD', P .. ':bell', 'MAXLEN', '~', 1024, '*', 't', target) end
end
return 1

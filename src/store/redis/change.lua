-- Changes deliveries that a filter means, the oldest first, a part at a time.
--
-- ARGV after those of the filter: above which id, how many, how many to look at, now, replay or
-- bury, due, force. Answers where to go on, or nothing at the end; then how many were changed.
local max, looks, now_ms = tonumber(ARGV[11]), tonumber(ARGV[12]), ARGV[13]
local is_replay, at, force = ARGV[14] == 'replay', ARGV[15], ARGV[16] == '1'

local function may(it)
  if it.state == 'l' then return false end
  if not is_replay then return it.state == 'w' or it.state == 'u' end
  -- What waits already is only brought forward.
  if it.state == 'w' then return tonumber(it.due) > tonumber(at) end
  return it.state == 'b' or force or not it.once
end

local function change(it)
  if not is_replay then
    bury(it, now_ms)
    return true
  end
  call('HDEL', delivery(it.id), 'x')
  if it.state == 'b' then
    if not take_again(it.event, force, now_ms) then return false end
    call('HINCRBY', event(it.event), 'v', 1)
  end
  move(it, 'w', at)
  call('XADD', P .. ':bell', 'MAXLEN', '~', 1024, '*', 't', it.target)
  return true
end

local ids = part(ARGV[10], false, looks)
local count, last = 0, ''
for _, id in ipairs(ids) do
  if count == max then break end
  local it = one(id)
  if it and meets(it) and may(it) and change(it) then count = count + 1 end
  last = id
end
if wanted[1] or #ids < looks and last == ids[#ids] then last = '' end
return { last, count }

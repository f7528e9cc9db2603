-- Lists or counts deliveries, the newest first, a part at a time.
--
-- ARGV after those of the filter: below which id, how many rows, how many to look at, whether to
-- count only. Answers where to go on, or nothing at the end; then the count, or a row for each: id,
-- event, route, target, order key, state, attempts, received, due, once, class, status, media type,
-- bytes of the body.
local max, looks = tonumber(ARGV[11]), tonumber(ARGV[12])
local ids = part(ARGV[10], true, looks)
local rows, count, last = {}, 0, ''
for _, id in ipairs(ids) do
  local it = one(id)
  if it and meets(it) then
    count = count + 1
    if ARGV[13] == '0' then
      local of = call('HMGET', event(it.event), 'i', 'r', 'm', 'y')
      local why = call('HMGET', delivery(id), 'c', 'h')
      rows[count] = { id, of[1], of[2], it.target, it.order, it.state, it.attempts, of[3], it.due,
        it.once and 1 or 0, why[1], why[2], of[4], call('HSTRLEN', event(it.event), 'b') }
    end
  end
  last = id
  if ARGV[13] == '0' and count == max then break end
end
if wanted[1] or last == '' then last = '' end
if #ids < looks and last == ids[#ids] then last = '' end
if ARGV[13] == '1' then return { last, count } end
return { last, rows }

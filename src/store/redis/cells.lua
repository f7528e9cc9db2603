-- Takes cells of limits that a fleet shares, by the generic cell rate algorithm. The clock is that of
-- Redis, so that the clocks of the fleet need not agree.
--
-- ARGV: key, time between two in microseconds, how many at once, how many are wanted of each.
-- Answers a row for each: how many were had, how many are left, in how many microseconds there is one.
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local rows = {}
for at = 1, #ARGV, 4 do
  local key, interval = P .. ':rate:' .. ARGV[at], tonumber(ARGV[at + 1])
  local burst, wanted = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local arrival = math.max(tonumber(call('GET', key) or 0), now)
  local room = math.max(math.floor((now + burst * interval - arrival) / interval), 0)
  local cells = math.min(wanted, room)
  if cells > 0 then
    arrival = arrival + cells * interval
    call('SET', key, number(arrival), 'PX', number(math.ceil((arrival - now) / 1000)))
  end
  local opens_in = math.max(arrival + interval - burst * interval - now, 0)
  rows[#rows + 1] = { cells, room - cells, number(opens_in) }
end
return rows

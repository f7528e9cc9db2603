-- What every script begins with: how keys are named, and the steps that several of them make.
--
-- KEYS[1] is the prefix with its hash tag: all keys of a queue are in one slot of a cluster, and a
-- script is one act there. Ids are text of 19 digits, so that they sort as their numbers do.
-- Moments come from the caller; the clock of Redis decides nothing but when keys are thrown away
-- that nobody has swept.
--
--   PREFIX:d:ID            a delivery      e event  t target  o order key  s state  a attempts
--                                          u due, lease's end or settled  1 once  c class
--                                          h status  p progress  x leases lost  k who leased it
--                                          z when it was due before it was leased
--   PREFIX:e:ID            its event       i id  r route  y media type  m received  b body
--                                          n deliveries left  v of them not buried
--   PREFIX:names           which event has an id
--   PREFIX:all             every delivery
--   PREFIX:due:TARGET      what may be handed out, by when it is due
--   PREFIX:leased:TARGET   what is under way, by when its lease ends
--   PREFIX:order:LINE      what waits or is under way of an order key
--   PREFIX:fronts          of each order key, the one that may be handed out or is under way
--   PREFIX:done, :past     what was taken, what was set aside: by when
--   PREFIX:aside           what was set aside, by its id
--   PREFIX:mark:NAME       a mark, NAME 16 bytes
--                                          d digest  a answer  u until  e event that may give it back
--   PREFIX:claims:ID       the marks that an event may give back; :given:ID those that it has
--   PREFIX:keep:NAME       a value         v value  u until;   PREFIX:keeps:SPACE its keys
--   PREFIX:count:NAME      a counter       n count  u until
--   PREFIX:cached:N:NAME   a reply that is kept, sealed; N the number of the last change
--   PREFIX:changes         how often all of them were made void
--   PREFIX:token:NAME      a token        v version  s itself, sealed  b had  e ends
--                                          h fence of the last login  u until when it may take
--   PREFIX:rate:KEY        when the last cell that was had would have come, in microseconds
--   PREFIX:out             marks, values and counters, by when they run out
local P = KEYS[1]
local call = redis.call
local SLACK_MS = 3600000
local FOREVER_MS = 1e14

local function delivery(id) return P .. ':d:' .. id end
local function event(id) return P .. ':e:' .. id end
local function due(target) return P .. ':due:' .. target end
local function leased(target) return P .. ':leased:' .. target end
local function named(first, second) return #first .. ':' .. first .. ':' .. second end
local function number(value) return string.format('%.0f', value) end

-- A key that is thrown away by Redis itself, long after it has run out for every caller.
local function run_out(key, kind, name, until_ms, now_ms)
  local left = tonumber(until_ms) - tonumber(now_ms) + SLACK_MS
  if left < FOREVER_MS then call('PEXPIRE', key, number(math.max(left, 1)))
  else call('PERSIST', key) end
  call('ZADD', P .. ':out', until_ms, kind .. name)
end

-- Of the deliveries of one order key at most one may be handed out: the first, and none while one is
-- under way.
local function form_front(target, order)
  local line = named(target, order)
  local front = call('HGET', P .. ':fronts', line)
  if front and call('HGET', delivery(front), 's') == 'l' then return end
  local first = call('ZRANGE', P .. ':order:' .. line, 0, 0)[1]
  if front and front ~= first then call('ZREM', due(target), front) end
  if not first then
    call('HDEL', P .. ':fronts', line)
    return
  end
  if front ~= first then call('HSET', P .. ':fronts', line, first) end
  call('ZADD', due(target), call('HGET', delivery(first), 'u'), first)
end

local function one(id)
  local of = call('HMGET', delivery(id), 't', 'o', 's', 'e', 'a', 'u', '1')
  if not of[1] then return nil end
  return { id = id, target = of[1], order = of[2], state = of[3], event = of[4],
    attempts = tonumber(of[5]), due = of[6], once = of[7] == '1' }
end

-- Takes a delivery out of where its state has put it. It comes first in every change: it only frees,
-- and after it Redis lets the rest of the script pass also where its memory is used up.
local function leave(it)
  if it.state == 'w' then call('ZREM', due(it.target), it.id)
  elseif it.state == 'l' then call('ZREM', leased(it.target), it.id)
  elseif it.state == 'd' then call('ZREM', P .. ':done', it.id)
  elseif it.state then
    call('ZREM', P .. ':past', it.id)
    call('ZREM', P .. ':aside', it.id)
  end
end

-- Gives a delivery its state, and its order key a front.
local function move(it, state, at)
  leave(it)
  call('HSET', delivery(it.id), 's', state, 'u', at)
  it.state, it.due = state, at
  if state == 'l' then call('ZADD', leased(it.target), at, it.id)
  elseif state == 'd' then call('ZADD', P .. ':done', at, it.id)
  elseif state ~= 'w' then
    call('ZADD', P .. ':past', at, it.id)
    call('ZADD', P .. ':aside', 0, it.id)
  elseif not it.order then call('ZADD', due(it.target), at, it.id)
  end
  if it.order then
    local line = P .. ':order:' .. named(it.target, it.order)
    if state == 'w' then call('ZADD', line, 0, it.id)
    elseif state ~= 'l' then call('ZREM', line, it.id) end
    form_front(it.target, it.order)
  end
end

-- A mark that is held and has not run out.
local function good(name, now_ms)
  local until_ms = call('HGET', P .. ':mark:' .. name, 'u')
  return until_ms and tonumber(until_ms) > tonumber(now_ms)
end

local function hold(name, mark, claim, now_ms)
  local key = P .. ':mark:' .. name
  call('DEL', key)
  call('HSET', key, 'd', mark.digest, 'a', mark.answer, 'u', mark.until_ms)
  if claim then
    call('HSET', key, 'e', claim)
    call('SADD', P .. ':claims:' .. claim, name)
  end
  run_out(key, 'm', name, mark.until_ms, now_ms)
end

-- Gives the marks of an event back, where none of its deliveries is left that is not buried.
local function give_up(id)
  if call('HGET', event(id), 'v') ~= '0' then return end
  for _, name in ipairs(call('SMEMBERS', P .. ':claims:' .. id)) do
    local key = P .. ':mark:' .. name
    local mark = call('HMGET', key, 'd', 'a', 'u', 'e')
    if mark[4] == id then
      call('DEL', key)
      call('ZREM', P .. ':out', 'm' .. name)
      call('HSET', P .. ':given:' .. id, name, mark[3] .. ':' .. mark[1] .. mark[2])
      call('ZADD', P .. ':out', mark[3], 'g' .. id .. name)
    end
  end
  call('DEL', P .. ':claims:' .. id)
end

-- Takes again what an event has given back; false where another has some of it, unless it is forced
-- to go without.
local function take_again(id, force, now_ms)
  local given, free = call('HGETALL', P .. ':given:' .. id), {}
  for at = 1, #given, 2 do
    local until_ms, rest = string.match(given[at + 1], '^(%-?%d+):(.*)$')
    if tonumber(until_ms) > tonumber(now_ms) then
      if not good(given[at], now_ms) then
        free[#free + 1] = { given[at], until_ms, rest }
      elseif not force then return false end
    end
  end
  for _, mark in ipairs(free) do
    call('HDEL', P .. ':given:' .. id, mark[1])
    call('ZREM', P .. ':out', 'g' .. id .. mark[1])
    local of = { digest = string.sub(mark[3], 1, 32), answer = string.sub(mark[3], 33),
      until_ms = mark[2] }
    hold(mark[1], of, id, now_ms)
  end
  return true
end

-- What an event has not given back it gives back no longer.
local function keep_marks(id)
  for _, name in ipairs(call('HKEYS', P .. ':given:' .. id)) do
    call('ZREM', P .. ':out', 'g' .. id .. name)
  end
  for _, name in ipairs(call('SMEMBERS', P .. ':claims:' .. id)) do
    local key = P .. ':mark:' .. name
    if call('HGET', key, 'e') == id then call('HDEL', key, 'e') end
  end
  call('DEL', P .. ':given:' .. id, P .. ':claims:' .. id)
end

local function bury(it, at)
  move(it, 'b', at)
  call('HINCRBY', event(it.event), 'v', -1)
  give_up(it.event)
end

-- Deletes a delivery that is nowhere but in its own keys, and with the last of an event its body.
local function forget(it)
  call('DEL', delivery(it.id))
  call('ZREM', P .. ':all', it.id)
  if call('HINCRBY', event(it.event), 'n', -1) == 0 then
    keep_marks(it.event)
    call('HDEL', P .. ':names', call('HGET', event(it.event), 'i'))
    call('DEL', event(it.event))
  end
end

-- Leases of a target that have run out. One that was lost too often takes whoever attempts it along.
local function expire(target, now_ms, losses_max)
  local ids = call('ZRANGEBYSCORE', leased(target), '-inf', now_ms, 'LIMIT', 0, 1000)
  for _, id in ipairs(ids) do
    local it = one(id)
    if it then
      call('ZREM', leased(target), id)
      call('HDEL', delivery(id), 'h', 'k')
      call('HSET', delivery(id), 'c', 'lease_expired')
      if it.once then move(it, 'u', it.due)
      elseif call('HINCRBY', delivery(id), 'x', 1) >= losses_max then bury(it, it.due)
      else move(it, 'w', it.due) end
    else
      call('ZREM', leased(target), id)
    end
  end
end

local function expire_all(now_ms, losses_max)
  for _, target in ipairs(call('SMEMBERS', P .. ':targets')) do
    expire(target, now_ms, losses_max)
  end
end

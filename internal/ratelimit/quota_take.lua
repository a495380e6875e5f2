-- Takes calls of a quota, by the rules of quota.go.
--
-- KEYS[1]  a hash: how many calls were taken in each part of a period (its number), how many of them were deferrable ("d" and its number), and until
--          when there is a pause ("paused", in microseconds)
-- ARGV     how many calls; their class (0 deferrable, 1 essential, 2 committed); how many are given in a period; its part, in microseconds
-- The answer is {1, the number of the part}, or {0, for how many microseconds to wait at least}.

local calls, class, most, part = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local slot, elapsed = math.floor(now / part), now % part

local period, deferrable, current, before, pause = calls, calls, calls, 0, 0
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local kind, digits = string.match(fields[i], '^(d?)(%d+)$')
  local at, count = tonumber(digits), tonumber(fields[i + 1]) or 0
  if fields[i] == 'paused' then
    pause = count - now
    if pause > 60000000 then -- longer than any: the clock was set back
      pause = 60000000
      redis.call('HSET', KEYS[1], 'paused', string.format('%.0f', now + pause))
    end
  elseif not at or at <= slot - 21 or at > slot then
    redis.call('HDEL', KEYS[1], fields[i])
  elseif kind == 'd' then
    deferrable = deferrable + count
  else
    period = period + count
    if at == slot then
      current = current + count
    elseif at == slot - 1 then
      before = count
    end
  end
end

if class < 2 then
  if pause > 0 then
    return { 0, pause }
  end
  local gives
  if class == 1 then
    gives = period <= most and (period <= math.floor(most / 2) or current == calls or 21 * current <= most + math.max(0, most - 21 * before))
  else
    gives = period <= most and (20 * deferrable <= most or 5 * deferrable <= most and period <= math.floor(most / 2)
      or 21 * (before + current) <= most and (10 * deferrable <= most or 5 * period <= 3 * most))
  end
  if not gives then
    return { 0, part - elapsed }
  end
end
redis.call('HINCRBY', KEYS[1], string.format('%.0f', slot), calls)
if class == 0 then
  redis.call('HINCRBY', KEYS[1], string.format('d%.0f', slot), calls)
end
redis.call('PEXPIRE', KEYS[1], math.ceil(math.max(40 * part, pause) / 1000))
return { 1, slot }

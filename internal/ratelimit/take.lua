-- Takes one from the bucket of every key, or, if any of them refuses, from none.
--
-- A bucket holds when it is full again, in microseconds of this server's clock, so those of its clients do not matter. One that is full expires.
-- KEYS[i]        its key
-- ARGV[2*i - 1]  the microseconds in which one is refilled
-- ARGV[2*i]      how many it holds
-- The answer is {0, 0}, or {the index in KEYS of the one that refuses the longest, for how many microseconds}.

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function set(i, full)
  -- Not tostring: it keeps 14 digits of the 16.
  redis.call('SET', KEYS[i], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
end

local stored = redis.call('MGET', unpack(KEYS))
local next, refused, longest = {}, 0, 0
for i = 1, #KEYS do
  local interval = tonumber(ARGV[2 * i - 1])
  local size = interval * tonumber(ARGV[2 * i])
  -- What is not there, and what is not a number, is full.
  local full = math.max(now, tonumber(stored[i]) or now)
  if full > now + size then
    -- No bucket can be this empty, so the clock was set back, or somebody else wrote this: never make anyone wait for longer than a refill.
    full = now + size
    set(i, full)
  end
  next[i] = full + interval
  local wait = next[i] - now - size
  if wait > longest then
    refused, longest = i, wait
  end
end
if refused == 0 then
  for i = 1, #KEYS do
    set(i, next[i])
  end
end
return { refused, longest }

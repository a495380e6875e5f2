-- Gives no calls for a time.
--
-- KEYS[1]  the hash of quota_take.lua
-- ARGV     for how many microseconds

local time = redis.call('TIME')
local paused = time[1] * 1000000 + time[2] + ARGV[1]
if paused > (tonumber(redis.call('HGET', KEYS[1], 'paused')) or 0) then
  redis.call('HSET', KEYS[1], 'paused', string.format('%.0f', paused))
end
-- As long as any pause, and any period of a day or less.
redis.call('PEXPIRE', KEYS[1], 86400000)
return 0

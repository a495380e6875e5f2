-- Gives back calls that were taken in a part, if that is still counted.
--
-- KEYS[1]  the hash of quota_take.lua
-- ARGV     the number of the part; how many calls

local count = tonumber(redis.call('HGET', KEYS[1], ARGV[1]))
if count then
  redis.call('HSET', KEYS[1], ARGV[1], math.max(0, count - ARGV[2]))
end
return 0

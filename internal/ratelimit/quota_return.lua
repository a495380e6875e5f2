-- Gives back calls that were taken in a part, if that is still counted.
--
-- KEYS[1]  the hash of quota_take.lua
-- ARGV     how many calls; the fields that they are counted in

for i = 2, #ARGV do
  local count = tonumber(redis.call('HGET', KEYS[1], ARGV[i]))
  if count then
    redis.call('HSET', KEYS[1], ARGV[i], math.max(0, count - ARGV[1]))
  end
end
return 0

-- Puts the document ARGV[2] under the hash ARGV[1] into KEYS[1], which has no more than ARGV[3] of them: those that came the longest ago, by KEYS[2], go.
-- Both keys are forgotten ARGV[4] milliseconds after the last document came. If one was lost, the other goes, too: a document that KEYS[2] lacks would stay.
if redis.call('HLEN', KEYS[1]) ~= redis.call('ZCARD', KEYS[2]) then
  redis.call('DEL', KEYS[1], KEYS[2])
end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], time[1] * 1000000 + time[2], ARGV[1])
while redis.call('ZCARD', KEYS[2]) > tonumber(ARGV[3]) do
  redis.call('HDEL', KEYS[1], redis.call('ZPOPMIN', KEYS[2])[1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 1

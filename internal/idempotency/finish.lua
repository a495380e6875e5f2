-- Replaces the claim ARGV[1] in KEYS[1] by the answer ARGV[2], for ARGV[3] milliseconds. Without an answer, removes the claim. Does nothing if there is
-- something else. KEYS[2] has the names of no more than ARGV[4] answers, by when they expire: those that expire first go.
local record = redis.call('GET', KEYS[1])
if record and record ~= ARGV[1] then
  return 0
end
if not ARGV[2] then
  redis.call('DEL', KEYS[1])
  return 1
end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
-- What has expired is gone, and its name may have been claimed again.
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], now + ARGV[3] * 1000, KEYS[1])
while redis.call('ZCARD', KEYS[2]) > tonumber(ARGV[4]) do
  redis.call('DEL', redis.call('ZPOPMIN', KEYS[2])[1])
end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1

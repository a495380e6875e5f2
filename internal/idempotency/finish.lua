-- Replaces the claim ARGV[1] in KEYS[1] by ARGV[2], for ARGV[3] milliseconds. Without ARGV[2], removes the claim. Does nothing if there is
-- something else.
local record = redis.call('GET', KEYS[1])
if record and record ~= ARGV[1] then
  return 0
end
if ARGV[2] then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
else
  redis.call('DEL', KEYS[1])
end
return 1

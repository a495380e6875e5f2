-- Claims the first of KEYS with ARGV[1] for ARGV[2] milliseconds, unless there is something in one of them. Returns which one that is, from 1, and what;
-- or 0.
for i, key in ipairs(KEYS) do
  local record = redis.call('GET', key)
  if record then
    return {i, record}
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {0, ''}

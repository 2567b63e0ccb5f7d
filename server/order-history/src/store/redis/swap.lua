-- Makes the generation that was built the one that is read, if it has come as far. ARGV: its id. Answers 0; 1 when it is
-- not the one that is built; 2 when it lacks something that the other one shows.
if redis.call('HGET', root, 'building') ~= ARGV[1] then
  return 1
end
local before = redis.call('HGET', root, 'current')
if before then
  generation = before
  local shown = redis.call('HGETALL', key('offsets'))
  generation = ARGV[1]
  local offsets, taken_over = key('offsets'), {}
  for at = 1, #shown, 2 do
    local seq, epoch = string.match(shown[at + 1], '^(%d+) (%-?%d+)$')
    local own = string.match(redis.call('HGET', offsets, shown[at]) or '0', '^%d+')
    if tonumber(own) < tonumber(seq) then
      return 2
    end
    -- Whoever owned a partition owns it still, and whoever lost it has no second chance.
    taken_over[shown[at]] = own .. ' ' .. epoch
  end
  for stream, offset in pairs(taken_over) do
    redis.call('HSET', offsets, stream, offset)
  end
  retire(before)
end
generation = ARGV[1]
redis.call('HSET', root, 'current', generation)
redis.call('HDEL', root, 'building')
news(redis.call('HGET', key('state'), 'head') or '0')
return 0

-- Begins to build a generation beside the one that is read. ARGV: its id, who gave out the epochs. One is built at a time.
local before = redis.call('HGET', root, 'building')
if before then
  retire(before)
end
generation = ARGV[1]
redis.call('HSET', root, 'building', generation)
redis.call('HSET', key('state'), 'head', '0', 'home', ARGV[2])
return 0

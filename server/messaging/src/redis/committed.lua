-- A group has come this far for good. ARGV: group, position, records to keep all the same, seconds between two
-- trimmings, seconds after which a silent group is forgotten. Answers {head, started again}.
local group, seq, reserve = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local now = tonumber(redis.call('TIME')[1])
-- Also when it is lower than before: the group's own store is the truth, and may have been lost or restored. Not to believe
-- it would leave the group waiting for ever for what everybody else has and the log has no longer.
put(group, seq)
local head, base, whole = extent()
if not whole or seq < base then
  return {start_again(slowest() or 0), 1}
end
local due = tonumber(redis.call('HGET', state, 'trim') or -1)
if now >= due then
  redis.call('HSET', state, 'trim', text(now + tonumber(ARGV[4])))
end
-- The first time only sets the clock: every group that is alive has spoken until the second.
if due >= 0 and now >= due then
  local known = redis.call('HGETALL', groups)
  for at = 1, #known, 2 do
    local spoke = tonumber(string.match(known[at + 1], ' (%d+)$') or 0)
    if now - spoke > tonumber(ARGV[5]) then
      redis.call('HDEL', groups, known[at])
    end
  end
  local upto = math.min(slowest() or 0, head) - reserve
  if upto > base then
    -- Only whole nodes of the stream are dropped: that is cheap, and keeps some more.
    local gone = redis.call('XTRIM', log, 'MINID', '~', text(upto + 1) .. '-0')
    redis.call('HSET', state, 'base', text(base + gone))
  end
end
return {head, 0}

-- A group says which partitions it owns, and learns how far the view has come in each. ARGV: 'current' or 'building'; for
-- the current generation the id of a new one, should there be none; who gave out the epochs; then stream and epoch, again
-- and again. Answers {generation, for each stream its offset, or '' when it has a newer owner}; {''} when there is nothing.
local status, proposed, home = ARGV[1], ARGV[2], ARGV[3]
generation = redis.call('HGET', root, status)
if status == 'building' then
  if generation ~= proposed then
    return {''}
  end
elseif not generation or redis.call('HGET', key('state'), 'home') ~= home then
  -- Redis was wiped; or the epochs are from a database that is no more, and mean nothing beside new ones.
  if generation then
    retire(generation)
  end
  generation = proposed
  redis.call('HSET', root, 'current', generation)
  redis.call('HSET', key('state'), 'head', '0', 'home', home)
  news('0')
end
local offsets = key('offsets')
local answer = {generation}
for at = 4, #ARGV, 2 do
  local known = redis.call('HGET', offsets, ARGV[at])
  local offset, newest = string.match(known or '0 -1', '^(%d+) (%-?%d+)$')
  if tonumber(newest) <= tonumber(ARGV[at + 1]) then
    if newest ~= ARGV[at + 1] then
      redis.call('HSET', offsets, ARGV[at], offset .. ' ' .. ARGV[at + 1])
    end
    answer[#answer + 1] = offset
  else
    answer[#answer + 1] = ''
  end
end
return answer

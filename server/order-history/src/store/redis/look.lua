-- What the feed has after a cursor. ARGV: the generation and the server's life that the reader knows; its cursor; how many
-- entries it takes; how far back it begins when it knows nothing. Answers {life, generation, head, where it begins anew or
-- '', for each entry its kind and the document as it was then}.
-- A server that restarts may have lost its newest writes, so its life is a part of what cursors mean.
local asked, info = pcall(redis.call, 'INFO', 'server')
local life = asked and type(info) == 'string' and string.match(info, 'run_id:(%x+)') or ''
local head = generation and redis.call('HGET', key('state'), 'head')
if not head then
  return {life, '', '0', ''}
end
local feed, after, anew = key('feed'), tonumber(ARGV[3]), ''

local function entries()
  return redis.call('XRANGE', feed, '(' .. text(after) .. '-0', '+', 'COUNT', ARGV[4])
end

local function number(entry)
  return tonumber(string.match(entry[1], '^(%d+)-'))
end

if generation ~= ARGV[1] or life ~= ARGV[2] or after > tonumber(head) then
  after = math.max(tonumber(head) - tonumber(ARGV[5]), 0)
  anew = text(after)
end
local found = entries()
if found[1] and number(found[1]) ~= after + 1 then
  after = number(found[1]) - 1
  anew = text(after)
end
local answer = {life, generation, head, anew}
for _, entry in ipairs(found) do
  answer[#answer + 1] = entry[2][2]
  answer[#answer + 1] = {unpack(entry[2], 3)}
end
return answer

-- Appends records. ARGV: epoch, number of the first record, channel to wake readers by (or ''), and for each record
-- its id, its envelope and its payload. Answers {0, head}, {1, head, started again} for a gap, or {2, epoch}.
local head, _, whole = extent()
local epoch, first = tonumber(ARGV[1]), tonumber(ARGV[2])
local newest = tonumber(redis.call('HGET', state, 'epoch') or 0)
if epoch < newest then
  return {2, newest}
end
if epoch > newest then
  redis.call('HSET', state, 'epoch', ARGV[1])
end
if not whole then
  return {1, start_again(slowest() or 0), 1}
end
local count = (#ARGV - 3) / 3
if count > 0 and first > head + 1 then
  return {1, head, 0}
end
local last = first + count - 1
if count > 0 and first <= head then
  -- Some are there already. If one is there under another id, the log tells of an outbox that is no more.
  local known = math.min(last, head)
  local entry = redis.call('XRANGE', log, text(known) .. '-0', text(known) .. '-0')[1]
  if entry and entry[2][2] ~= ARGV[4 + 3 * (known - first)] then
    redis.call('DEL', groups)
    return {1, start_again(0), 1}
  end
end
for seq = math.max(first, head + 1), last do
  local at = 4 + 3 * (seq - first)
  local id = text(seq) .. '-0'
  local added = redis.pcall('XADD', log, id, 'i', ARGV[at], 'm', ARGV[at + 1], 'p', ARGV[at + 2])
  if type(added) == 'table' and added.err then
    if string.find(added.err, 'equal or smaller', 1, true) then
      return {1, start_again(slowest() or 0), 1}
    end
    return added
  end
end
if count > 0 and last > head then
  redis.call('HSET', state, 'head', text(last))
  head = last
  if ARGV[3] ~= '' then
    redis.call('PUBLISH', ARGV[3], '')
  end
end
return {0, head}

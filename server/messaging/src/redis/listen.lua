-- A group says where it stands: before its first read, and when it reads a hole. ARGV: group, position.
-- If what comes next for it is not there although it was, the log starts again. Answers {head, started again}.
-- The position may be lower than before: the group's own database is the truth.
local seq = tonumber(ARGV[2])
put(ARGV[1], seq)
local head, base, whole = extent()
local after = redis.call('XRANGE', log, '(' .. text(seq) .. '-0', '+', 'COUNT', 1)[1]
if whole and seq >= base and (not after or after[1] == text(seq + 1) .. '-0') then
  return {head, 0}
end
return {start_again(slowest() or 0), 1}

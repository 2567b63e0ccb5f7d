-- Applies a batch and moves its offsets, or does nothing at all. ARGV: 'current' or 'building'; the generation; entries that
-- the feed keeps; moves, customers and orders, each led by their number. Answers 1 when the view stands elsewhere; otherwise kind, id
-- and known version of each document that was given another version than its next one.
generation = ARGV[2]
if redis.call('HGET', root, ARGV[1]) ~= generation then
  return 1
end
local kept, at = ARGV[3], 3

local function argument()
  at = at + 1
  return ARGV[at]
end

local offsets, state, feed = key('offsets'), key('state'), key('feed')
local moves = tonumber(argument())
local moved = {}
for _ = 1, moves do
  local stream, from, to, epoch = argument(), argument(), argument(), argument()
  if redis.call('HGET', offsets, stream) ~= from .. ' ' .. epoch then
    return 1
  end
  moved[stream] = to .. ' ' .. epoch
end

-- The feed ends at its head, or something else than these scripts has lost a part of the view: it begins anew.
local told = redis.call('HGET', state, 'head')
local newest = redis.call('XREVRANGE', feed, '+', '-', 'COUNT', 1)[1]
if not told or (newest and newest[1] or '0-0') ~= told .. '-0' then
  retire(generation)
  redis.call('HDEL', root, ARGV[1])
  return 1
end
local head = tonumber(told)

local changed = {}

local function tell(kind, id)
  changed[#changed + 1] = {kind, id}
end

local passed = {}

-- Versions between the two may be in the batch, or lost: whoever has made the batch knows.
local function pass(kind, id, known, version)
  if tonumber(known or 0) < tonumber(version) - 1 then
    local at = #passed
    passed[at + 1], passed[at + 2], passed[at + 3] = kind, id, known or '0'
  end
end

local function is_news(known, version)
  return not known or tonumber(known) < tonumber(version)
end

-- Customers first: an order's frame may then show a name that its customer's frame has told.
for _ = 1, tonumber(argument()) do
  local id, version, name, folded, limit, reserved, paid, created =
    argument(), argument(), argument(), argument(), argument(), argument(), argument(), argument()
  local hash = key('customer:' .. id)
  local known = redis.call('HGET', hash, 'version')
  pass('customer', id, known, version)
  if is_news(known, version) then
    redis.call('HSET', hash, 'version', version, 'name', name, 'name_folded', folded, 'credit_limit', limit,
      'reserved', reserved, 'paid', paid)
    if not known then
      redis.call('HSET', hash, 'created_at', created)
      redis.call('ZADD', key('customers'), 0, place(created, id))
    end
    tell('customer', id)
  end
end

for _ = 1, tonumber(argument()) do
  local id, version, customer, total, status, reason = argument(), argument(), argument(), argument(), argument(), argument()
  local refusal, coordination, saga, created, updated = argument(), argument(), argument(), argument(), argument()
  local hash = key('order:' .. id)
  local known = redis.call('HMGET', hash, 'version', 'state', 'created_at')
  pass('order', id, known[1], version)
  if is_news(known[1], version) then
    redis.call('HSET', hash, 'version', version, 'total', total, 'state', status, 'rejection_reason', reason,
      'last_refusal', refusal, 'saga_id', saga, 'updated_at', updated)
    if not known[1] then
      redis.call('HSET', hash, 'customer_id', customer, 'coordination', coordination, 'created_at', created)
      local member = place(created, id)
      redis.call('ZADD', key('orders'), 0, member)
      redis.call('ZADD', key('orders:' .. status), 0, member)
      redis.call('ZADD', key('customer:' .. customer .. ':orders'), 0, member)
      -- The customer may be heard of later: until then its hash holds this alone, and is no document.
      redis.call('HINCRBY', key('customer:' .. customer), 'order_count', 1)
    elseif known[2] ~= status then
      local member = place(known[3], id)
      redis.call('ZREM', key('orders:' .. known[2]), member)
      redis.call('ZADD', key('orders:' .. status), 0, member)
    end
    tell('order', id)
  end
end

-- With the documents as the whole batch has left them: every process that reads the feed, however late, tells the same.
for _, one in ipairs(changed) do
  head = head + 1
  local document = read[one[1]](one[2])
  redis.call('XADD', feed, 'MAXLEN', '~', kept, text(head) .. '-0', 'kind', one[1], unpack(document))
end
for stream, offset in pairs(moved) do
  redis.call('HSET', offsets, stream, offset)
end
if text(head) ~= told then
  redis.call('HSET', state, 'head', text(head))
  news(text(head))
end
return passed

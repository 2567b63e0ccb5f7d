-- Drops a part of a retired generation. ARGV: its id, documents of a kind to drop at most, then every state of an order.
-- Answers how many were dropped; with the last part goes the name, and then it answers 0.
generation = ARGV[1]
if redis.call('HGET', root, 'current') == generation or redis.call('HGET', root, 'building') == generation then
  return 0
end
local dropped = 0

local function drop_customer(id)
  redis.call('UNLINK', key('customer:' .. id), key('customer:' .. id .. ':orders'))
end

local popped = redis.call('ZPOPMIN', key('orders'), ARGV[2])
for at = 1, #popped, 2 do
  local order = key('order:' .. string.sub(popped[at], 17))
  local customer = redis.call('HGET', order, 'customer_id')
  if customer then
    drop_customer(customer)
  end
  redis.call('UNLINK', order)
  dropped = dropped + 1
end
popped = redis.call('ZPOPMIN', key('customers'), ARGV[2])
for at = 1, #popped, 2 do
  drop_customer(string.sub(popped[at], 17))
  dropped = dropped + 1
end
if dropped == 0 then
  for at = 3, #ARGV do
    redis.call('UNLINK', key('orders:' .. ARGV[at]))
  end
  redis.call('UNLINK', key('state'), key('offsets'), key('feed'))
  redis.call('HDEL', root, 'retired:' .. generation)
end
return dropped

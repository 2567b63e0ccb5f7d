-- Shared by the scripts that read: a document is one HGETALL. An order shows its customer's name, which stands with the
-- customer alone: a customer may be heard of after ten thousand orders, and no event may cost so many writes.
generation = redis.call('HGET', root, 'current')

local read = {}

function read.customer(id)
  local fields = redis.call('HGETALL', key('customer:' .. id))
  fields[#fields + 1] = 'customer_id'
  fields[#fields + 1] = id
  return fields
end

function read.order(id)
  local fields = redis.call('HGETALL', key('order:' .. id))
  for at = 1, #fields, 2 do
    if fields[at] == 'customer_id' then
      local name = redis.call('HGET', key('customer:' .. fields[at + 1]), 'name')
      if name then
        fields[#fields + 1] = 'customer_name'
        fields[#fields + 1] = name
      end
      break
    end
  end
  fields[#fields + 1] = 'order_id'
  fields[#fields + 1] = id
  return fields
end

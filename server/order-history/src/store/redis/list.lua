-- Reads on in a list, newest first. ARGV: the list; the kind of its documents; the place before which to begin; how many
-- documents are wanted; how many may be looked at; and to narrow orders: state or ''; 'q' if searched for, part of the
-- folded name, start of the id. Answers {the place up to which it looked, or '' at the end of the list, documents}.
if not generation then
  return {'', {}}
end
local list, kind, at, wanted, looks = key(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local state, searched, name_part, id_start = ARGV[6], ARGV[7] == 'q', ARGV[8], ARGV[9]
local is_narrowed = state ~= '' or searched
local names = {}

local function name_fits(customer)
  local fits = names[customer]
  if fits == nil then
    local folded = redis.call('HGET', key('customer:' .. customer), 'name_folded')
    fits = folded and string.find(folded, name_part, 1, true) ~= nil
    names[customer] = fits
  end
  return fits
end

local function fits(id)
  if not is_narrowed then
    return true
  end
  if kind == 'customer' then
    return name_fits(id)
  end
  local known = redis.call('HMGET', key('order:' .. id), 'state', 'customer_id')
  if not known[1] or (state ~= '' and known[1] ~= state) then
    return false
  end
  return not searched or string.sub(id, 1, #id_start) == id_start or name_fits(known[2])
end

local found, looked = {}, 0
while #found < wanted do
  if looked >= looks then
    return {at, found}
  end
  local chunk = is_narrowed and math.min(256, looks - looked) or wanted
  local places = redis.call('ZREVRANGEBYLEX', list, '(' .. at, '-', 'LIMIT', 0, chunk)
  for _, one in ipairs(places) do
    at, looked = one, looked + 1
    local id = string.sub(one, 17)
    if fits(id) then
      found[#found + 1] = read[kind](id)
      if #found == wanted then
        return {at, found}
      end
    end
  end
  if #places < chunk then
    return {'', found}
  end
end
return {at, found}

-- Shared by all scripts. KEYS[1] is the root; every other key of a view follows from it and the generation, and all of
-- them carry the same hash tag. A script sets `generation` before it asks for a key.
local root = KEYS[1]
local prefix = string.sub(root, 1, -5)
local generation

local function key(name)
  return prefix .. generation .. ':' .. name
end

-- The place of a document in a list: when it was made and its id, each of a fixed width. All scores are 0, so a list is
-- in the order of its members, and a page can begin at any place, whether a document is still there or not.
local function place(created_at, id)
  return string.format('%016.0f', tonumber(created_at)) .. id
end

local function text(number)
  return string.format('%.0f', number)
end

local function retire(id)
  redis.call('HSET', root, 'retired:' .. id, '')
end

local function news(head)
  redis.call('PUBLISH', prefix .. 'news', generation .. ' ' .. head)
end

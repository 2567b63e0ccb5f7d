-- Shared by all scripts. The log holds the records after `base` up to `head`, one entry each, and its state says so.
-- When the two disagree, something else than these scripts has changed or lost one of them: then neither is believed.
local log, state, groups = KEYS[1], KEYS[2], KEYS[3]

local function text(number)
  return string.format('%.0f', number)
end

local function extent()
  local known = redis.call('HMGET', state, 'head', 'base')
  local head, base = tonumber(known[1] or 0), tonumber(known[2] or 0)
  return head, base, redis.call('XLEN', log) == head - base
end

-- How far the slowest group has come; nil when none is known. A group's value is its position and when it last spoke.
local function slowest()
  local least = nil
  for _, value in ipairs(redis.call('HVALS', groups)) do
    local seq = tonumber(string.match(value, '^(%d+) %d+$'))
    if seq and (not least or seq < least) then
      least = seq
    end
  end
  return least
end

-- Forgets the log. The relay finds that the head fell, and fills it from there: nobody needs what is before.
local function start_again(base)
  redis.call('DEL', log)
  redis.call('HSET', state, 'head', text(base), 'base', text(base))
  return base
end

local function put(group, seq)
  redis.call('HSET', groups, group, text(seq) .. ' ' .. redis.call('TIME')[1])
end


-- The last number that the log has, once it is known to hold together. Answers {head, started again}.
local head, _, whole = extent()
if whole then
  return {head, 0}
end
return {start_again(slowest() or 0), 1}

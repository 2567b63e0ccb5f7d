-- Reads one document. ARGV: kind, id. Answers its fields and their values, one after the other.
if not generation then
  return {}
end
return read[ARGV[1]](ARGV[2])

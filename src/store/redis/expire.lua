-- Ends the leases of all targets that have run out. ARGV: now, losses at most.
expire_all(ARGV[1], tonumber(ARGV[2]))
return 1

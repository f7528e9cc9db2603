-- Writes something, to see whether that can be done.
call('SET', P .. ':probe', 1)
return 1
